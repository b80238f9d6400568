"""Connections to the server: opened, kept for the next request, aborted from another thread."""

# Not socket: it makes enumerations of all that this has, a quarter of the time until we are there.
import _socket
import threading
from contextlib import suppress

from llama_mcp.connect.failures import BridgeError, not_trusted, unreachable
from llama_mcp.connect.responses import ResponseReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from llama_mcp.connect.target import Target

_CONNECT_SECONDS = 10.0
# The server sends a sign of life every 15 s while a request runs, on each stream.
_SILENCE_SECONDS = 90.0
# uvicorn closes a connection that was idle for 5 s; what is sent at that moment would be lost.
_IDLE_SECONDS = 3.0
_MOST_IDLE = 8


class Connection:
    """One connection; all but `abort` belongs to the thread that has it."""

    def __init__(self, wire: "_socket.socket | ssl.SSLSocket") -> None:
        self._wire = wire
        self._idle_since = 0.0
        self.is_used = False
        """Whether a request has gone over it before."""

    def send(self, head: bytes, body: bytes) -> ResponseReader:
        """Send a request; return what reads its response.

        The server may answer before it has read all, and close: then that answer counts.

        Raises:
            OSError: Nothing could be sent.
        """
        reader = ResponseReader(self._wire.recv)
        try:
            # Together as long as that is one packet or so: two would wait for each other.
            if len(body) <= 16384:
                self._wire.sendall(head + body)
            else:
                self._wire.sendall(head)
                self._wire.sendall(body)
        except OSError as error:
            reader.unsent = error
        return reader

    def abort(self) -> None:
        """Have whoever reads or writes it fail at once; for any thread."""
        with suppress(OSError):  # it may be closed
            # Of the plain socket: TLS would say goodbye first, and for that it may have to wait.
            _socket.socket.shutdown(self._wire, _socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            self._wire.close()

    def set_patience(self, seconds: float = _SILENCE_SECONDS) -> None:
        """Set how long the server may be silent."""
        self._wire.settimeout(seconds)

    def rest(self, now: float) -> None:
        """Note that it is idle from now on."""
        self._idle_since = now
        self.is_used = True

    def is_fresh(self, now: float) -> bool:
        """Tell whether the server still has it open, and will for a while."""
        if now - self._idle_since > _IDLE_SECONDS:
            return False
        self._wire.settimeout(0)
        try:
            # Of the plain socket: whatever has come, it is no answer to anything.
            _socket.socket.recv(self._wire, 1, _socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            self.set_patience()
            return True
        except OSError:
            pass
        return False


class Connections:
    """Opens connections to one server, and keeps some that are idle."""

    def __init__(self, target: "Target", clock: "Clock") -> None:
        self._target = target
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._tls: ssl.SSLContext | None = None

    def take(self, *, is_new: bool = False) -> Connection:
        """Return a connection that is ready to send on.

        Raises:
            BridgeError: There is none to be had.
        """
        while not is_new and (connection := self._pop_idle()):
            if connection.is_fresh(self._clock()):
                return connection
            connection.close()
        return Connection(self._open())

    def give_back(self, connection: Connection) -> None:
        """Keep a connection, whose response was read to its end, for the next request."""
        connection.rest(self._clock())
        with self._lock:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _pop_idle(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _open(self) -> "_socket.socket | ssl.SSLSocket":
        target = self._target
        try:
            plain = _connected(target.host, target.port)
        except OSError as error:
            raise unreachable(target.url, reason_of(error)) from error
        for level, option, value in _options():
            plain.setsockopt(level, option, value)
        wire = self._encrypted(plain) if target.is_tls else plain
        wire.settimeout(_SILENCE_SECONDS)
        return wire

    def _encrypted(self, plain: _socket.socket) -> "ssl.SSLSocket":
        import socket  # these take half as much memory again as all else
        import ssl

        wire = socket.socket(fileno=plain.detach())
        wire.settimeout(_CONNECT_SECONDS)
        try:
            with self._lock:
                if self._tls is None:
                    self._tls = ssl.create_default_context()
            return self._tls.wrap_socket(wire, server_hostname=self._target.host)
        except ssl.SSLCertVerificationError as error:
            wire.close()
            raise not_trusted(self._target.url, error.verify_message) from error
        except OSError as error:
            wire.close()
            raise self._tls_failure(error) from error

    def _tls_failure(self, error: OSError) -> BridgeError:
        reason = getattr(error, "reason", None)
        if isinstance(reason, str):
            return not_trusted(self._target.url, reason.replace("_", " ").lower())
        return unreachable(self._target.url, reason_of(error))


def reason_of(error: OSError) -> str:
    """Return what the system says of an error, in its own words."""
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return (error.strerror or str(error) or type(error).__name__).rstrip(".")


def _connected(host: str, port: int) -> _socket.socket:
    """Return a connection to the first address of the host that takes one.

    Raises:
        OSError: None does; that of the last.
    """
    failed: OSError | None = None
    for family, kind, protocol, _, place in _socket.getaddrinfo(host, port, 0, _socket.SOCK_STREAM):
        wire = _socket.socket(family, kind, protocol)
        try:
            wire.settimeout(_CONNECT_SECONDS)
            wire.connect(place)
        except OSError as error:
            wire.close()
            failed = error
        else:
            return wire
    raise failed or OSError("it has no address")


def _options() -> "Iterable[tuple[int, int, int]]":
    """Return options of TCP: no waiting for more to send, and a look for peers that are gone."""
    yield _socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1
    yield _socket.SOL_SOCKET, _socket.SO_KEEPALIVE, 1
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        option = getattr(_socket, name, None)  # not every system has each of them
        if option is not None:
            yield _socket.IPPROTO_TCP, option, value


if TYPE_CHECKING:
    from collections.abc import Callable

    Clock = Callable[[], float]
