"""The body of a streamed reply, taken apart into the JSON of its chunks.

It may come from a connection or from a file, and in pieces of any length.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic_core import from_json

from llama_mcp.llama_server.api.refusals import error_from
from llama_mcp.llama_server.errors import LlamaServerLostError

# One SSE line; a whole reply in one chunk stays far below, an endless line does not.
MAX_LINE_BYTES = 16 * 1024 * 1024
DONE = b"[DONE]"


@dataclass(slots=True)
class StreamMark:
    """How far a stream was read, so that somebody else can read on."""

    stream_id: str
    byte: int = 0
    """Of the body: where the first event begins that was not taken yet."""

    @property
    def headers(self) -> dict[str, str]:
        """What makes llama-server go on without its reader (llama.cpp: server-stream.cpp)."""
        return {"X-Conversation-Id": self.stream_id}


async def chunks_of(
    pieces: AsyncIterator[bytes], body: Mapping[str, Any], mark: StreamMark | None = None
) -> AsyncIterator[Any]:
    """Give each `data:` line as JSON. Lines end with LF only: JSON text may hold other breaks.

    Args:
        pieces: of the body, from the mark on.
        body: what was sent.
        mark: moves on with each chunk; who takes a chunk before it waits for anything, and reads
            the mark then, knows what comes next.

    Raises:
        CompletionError: llama-server reports an error.
        LlamaServerLostError: the connection broke, or the stream ended before it was done.
    """
    mark = mark or StreamMark("")
    pending = b""
    async for piece in pieces:
        *lines, pending = (pending + piece).split(b"\n")
        for line in lines:
            field, _, text = line.strip().partition(b":")
            value = text.lstrip()
            if field == b"data" and value == DONE:
                return
            if field == b"error":  # how builds before 2025 send it
                raise error_from(HTTPStatus.INTERNAL_SERVER_ERROR, value, body)
            mark.byte += len(line) + 1
            if field == b"data" and value:
                yield _checked_chunk(value, body)
        if len(pending) > MAX_LINE_BYTES:
            raise LlamaServerLostError("its stream holds a line without an end")
    raise LlamaServerLostError("its stream ended before the reply was complete")


def _checked_chunk(data: bytes, body: Mapping[str, Any]) -> Any:
    chunk = decoded(data)
    if isinstance(chunk, dict) and chunk.get("error"):
        code = chunk["error"].get("code") if isinstance(chunk["error"], dict) else None
        status = code if isinstance(code, int) else 0
        is_status = 400 <= status < 600
        raise error_from(status if is_status else HTTPStatus.INTERNAL_SERVER_ERROR, data, body)
    return chunk


def decoded(data: bytes) -> Any:
    """Return the JSON.

    Raises:
        LlamaServerLostError: it is none.
    """
    try:
        return from_json(data)
    except ValueError:
        pass  # it takes no bytes that are no UTF-8, and no half of a surrogate pair
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise LlamaServerLostError("it sent something that is not JSON") from error
