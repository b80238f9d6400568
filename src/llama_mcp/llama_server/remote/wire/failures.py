"""Why a request got no answer, in words: what HTTP, TLS, DNS and sockets say of it."""

import socket
import ssl
from collections.abc import Iterator

# Shown of what a library says where no kind of failure is recognised.
_SHOWN = 200


def why_no_answer(error: BaseException, host: str) -> str:
    """Return what kept a request from being answered, a clause.

    Args:
        error: what httpx2 has raised, with its causes.
        host: the engine's.
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause)
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason or cause}"
        if isinstance(cause, socket.gaierror):
            return f"its host name {host} is not known ({cause.strerror})"
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused: nobody listens there"
        if isinstance(cause, ConnectionResetError):
            return "the connection was reset"
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            return f"the connection failed ({cause.strerror})"
    if any("Timeout" in type(cause).__name__ for cause in causes):
        return str(error)[:_SHOWN] or "there was no answer in time"
    return str(error)[:_SHOWN] or type(error).__name__


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    said = error.verify_message or error.reason or "it is not trusted"
    return (
        f"its certificate was not accepted: {said}. A certificate authority of your own is taken "
        "from the file that the environment variable SSL_CERT_FILE names"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__
