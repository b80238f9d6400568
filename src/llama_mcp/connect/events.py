"""Server-sent events: from the pieces of a body to the messages in it."""

from llama_mcp.connect.responses import MOST_BYTES, BadResponseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def messages_in(pieces: "Iterable[bytes]") -> "Iterator[bytes]":
    """Yield the data of each event as it comes; comments, ids and empty events are passed over.

    Lines end with LF or CRLF: a CR alone, which the standard allows, no MCP server sends.

    Raises:
        BadResponseError: An event does not end.
    """
    data: list[bytes] = []
    size = 0
    for line in _lines(pieces):
        if not line:
            if any(data):
                # JSON has no line ends in texts, and a line of stdout must have none at all.
                yield b" ".join(data)
            data, size = [], 0
        elif line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
            size += len(line)
            if size > MOST_BYTES:
                raise BadResponseError("a message of its answer does not end")


def _lines(pieces: "Iterable[bytes]") -> "Iterator[bytes]":
    begun: list[bytes] = []
    size = 0
    for piece in pieces:
        *ended, rest = piece.split(b"\n")
        for line in ended:
            yield b"".join((*begun, line)).removesuffix(b"\r")
            begun, size = [], 0
        if rest:
            begun.append(rest)
            size += len(rest)
            if size > MOST_BYTES:
                raise BadResponseError("a line of its answer does not end")
