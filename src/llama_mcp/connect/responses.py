"""Responses of HTTP/1.1: the head, and the body as it comes; within bounds."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_MOST_HEAD_BYTES = 64 * 1024


class BadResponseError(Exception):
    """What came is no HTTP; the text says what is wrong."""


class EndOfResponseError(Exception):
    """The server closed the connection before the response was whole."""


class Head:
    """Status and headers of a response."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers
        """By name in lower case."""

    @property
    def content_type(self) -> str:
        """The media type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_last(self) -> bool:
        """Tell whether the server closes the connection after it."""
        return "close" in self.headers.get("connection", "").lower()


class ResponseReader:
    """Reads one response from a connection."""

    def __init__(self, receive: "Callable[[int], bytes]") -> None:
        self._receive = receive
        self._rest = b""
        self.has_begun = False
        """Whether any byte of it has come."""
        self.is_whole = False
        """Whether it was read to its end, so that the connection can take the next request."""
        self.unsent: OSError | None = None
        """Why not all of the request could be sent."""

    def head(self) -> Head:
        """Read the head; what is only provisional (1xx) is passed over.

        Raises:
            BadResponseError, EndOfResponseError, OSError: There is none.
        """
        while True:
            line = self._line()
            version, _, rest = line.partition(" ")
            code = rest[:3]
            if not version.startswith("HTTP/1.") or not code.isdecimal():
                raise BadResponseError("it does not speak HTTP/1.1")
            headers = self._headers()
            if not code.startswith("1"):
                return Head(int(code), headers)

    def body(self, head: Head) -> "Iterator[bytes]":
        """Yield the body in pieces as they come.

        Raises:
            BadResponseError, EndOfResponseError, OSError: It is not whole.
        """
        if head.status in (204, 304):
            self.is_whole = not head.is_last
            return
        if "chunked" in head.headers.get("transfer-encoding", "").lower():
            yield from self._chunks()
        elif (length := head.headers.get("content-length")) is not None:
            if not length.isdecimal():
                raise BadResponseError("the length of its answer is no number")
            yield from self._counted(int(length))
        else:
            while data := self._some(_CHUNK_BYTES):
                yield data
            return
        self.is_whole = not head.is_last

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        size = 0
        while line := self._line():
            size += len(line)
            name, colon, value = line.partition(":")
            if size > _MOST_HEAD_BYTES or not colon:
                raise BadResponseError("the headers of its answer are broken")
            headers[name.strip().lower()] = value.strip()
        return headers

    def _chunks(self) -> "Iterator[bytes]":
        while True:
            size = self._line().partition(";")[0].strip()
            try:
                length = int(size, 16)
            except ValueError:
                raise BadResponseError("the pieces of its answer are broken") from None
            if length <= 0:
                break
            yield from self._counted(length)
            if self._line():
                raise BadResponseError("the pieces of its answer are broken")
        self._headers()  # of the end; nothing in them matters

    def _counted(self, length: int) -> "Iterator[bytes]":
        while length:
            data = self._some(min(length, _CHUNK_BYTES))
            if not data:
                raise EndOfResponseError
            length -= len(data)
            yield data

    def _line(self) -> str:
        """Return the next line without its end."""
        while (end := self._rest.find(b"\n")) < 0:
            if len(self._rest) > _MOST_HEAD_BYTES:
                raise BadResponseError("a line of its answer does not end")
            data = self._receive(_CHUNK_BYTES)
            if not data:
                raise EndOfResponseError
            self.has_begun = True
            self._rest += data
        line, self._rest = self._rest[:end], self._rest[end + 1 :]
        return line.removesuffix(b"\r").decode("latin-1")

    def _some(self, most: int) -> bytes:
        """Return some bytes, at most so many; none at the end."""
        if not self._rest:
            return self._receive(most)
        data, self._rest = self._rest[:most], self._rest[most:]
        return data


def whole(pieces: "Iterator[bytes]", most: int = MOST_BYTES) -> bytes:
    """Return a body as one.

    Raises:
        BadResponseError: It has more bytes than that.
    """
    read = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise BadResponseError(f"its answer has more than {most // 1024} KiB")
        read.append(piece)
    return b"".join(read)
