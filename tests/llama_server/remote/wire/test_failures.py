"""Why there was no answer is said in words, whatever library has raised it."""

import errno
import socket
import ssl

import httpx2
import pytest

from llama_mcp.llama_server.remote.wire.failures import why_no_answer


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx2.ConnectTimeout(""), "there was no connection in time"),
        (httpx2.ConnectError("All connection attempts failed"), "All connection attempts failed"),
        (
            caused(httpx2.ConnectError("x"), ExceptionGroup("all", [ConnectionRefusedError()])),
            "nobody listens there",
        ),
        (caused(httpx2.ReadError(""), ConnectionResetError()), "was reset"),
        (
            caused(httpx2.ConnectError(""), OSError(errno.ENETUNREACH, "Network is unreachable")),
            "Network is unreachable",
        ),
        (
            caused(httpx2.ConnectError(""), socket.gaierror(-2, "Name or service not known")),
            "its host name gpu-box is not known (Name or service not known)",
        ),
        (caused(httpx2.ConnectError(""), ssl.SSLError(1, "wrong version number")), "TLS failed"),
        (httpx2.RemoteProtocolError("Server disconnected"), "Server disconnected"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_the_cause_is_said(error: BaseException, said: str) -> None:
    assert said in why_no_answer(error, "gpu-box")
