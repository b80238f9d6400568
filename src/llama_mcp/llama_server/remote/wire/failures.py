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
            return f"TLS failed: {_said_by(cause, 'reason') or cause}"
        if isinstance(cause, socket.gaierror):
            return f"its host name {host} is not known ({cause.strerror})"
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused: nobody listens there"
        if isinstance(cause, ConnectionResetError):
            return "the connection was reset"
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            return f"the connection failed ({cause.strerror})"
    if any(type(cause).__name__ == "ConnectTimeout" for cause in causes):
        return "there was no connection in time: the host is down, or a firewall drops what comes"
    return str(error)[:_SHOWN] or type(error).__name__


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    said = _said_by(error, "verify_message") or _said_by(error, "reason") or "it is not trusted"
    return (
        f"its certificate was not accepted: {said}. A certificate authority of your own is taken "
        "from the file that the environment variable SSL_CERT_FILE names"
    )


def _said_by(error: ssl.SSLError, name: str) -> str:
    # Errors that were not made by OpenSSL lack what its own have.
    return str(getattr(error, name, None) or "")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__
