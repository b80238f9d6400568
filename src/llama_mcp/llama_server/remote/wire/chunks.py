"""The stream of a reply by any OpenAI server, brought into the shape of llama-server's chunks.

Servers differ: CRLF, comments, `[DONE]` left out, errors inside the stream, content as a list of
parts, reasoning under another name, a whole reply where a stream was asked for.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from typing import Any

from llama_mcp.llama_server.api.chunks import DONE, MAX_LINE_BYTES, decoded
from llama_mcp.llama_server.api.fields import member
from llama_mcp.llama_server.errors import LlamaServerLostError
from llama_mcp.llama_server.remote.wire.refusals import Refusal, refusal_from

_SERVER_ERROR = 500
_WHOLE_LIMIT_BYTES = MAX_LINE_BYTES


class BrokenStreamError(Exception):
    """What came is no reply, or not all of one."""


class RefusedInStreamError(Exception):
    """The stream holds an error."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


async def chunks_in(pieces: AsyncIterator[bytes]) -> AsyncGenerator[dict[str, Any], None]:
    """Give each chunk of a stream, in llama-server's shape; those without content, too.

    Args:
        pieces: of the body, of any length.

    Raises:
        BrokenStreamError: it ends before a reason to end has come, or is no stream of a reply.
        RefusedInStreamError: it holds an error.
    """
    is_ended = False
    async with aclosing(events_in(pieces)) as events:
        async for data in events:
            if data == DONE:
                return
            chunk = _chunk(data)
            if chunk is not None:
                is_ended = is_ended or _ends(chunk)
                yield chunk
    # Some leave [DONE] out.
    if not is_ended:
        raise BrokenStreamError("its stream ended before the reply was complete")


async def events_in(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Give the data of each event. A body that is JSON and no stream counts as one event."""
    pending, is_first = b"", True
    event: list[bytes] = []
    async for piece in pieces:
        pending += piece
        if is_first and (pending := pending.removeprefix(b"\xef\xbb\xbf").lstrip()):
            is_first = False
            if pending[:1] in (b"{", b"["):
                async for more in pieces:
                    pending += more
                    if len(pending) > _WHOLE_LIMIT_BYTES:
                        raise BrokenStreamError("its answer has no end")
                yield pending
                return
        *lines, pending = pending.split(b"\n")
        for line in lines:
            for data in _events(line.removesuffix(b"\r"), event):
                yield data
        if len(pending) > MAX_LINE_BYTES or sum(map(len, event)) > MAX_LINE_BYTES:
            raise BrokenStreamError("its stream holds a line without an end")
    for data in [*_events(pending.removesuffix(b"\r"), event), *_events(b"", event)]:
        yield data


def _events(line: bytes, event: list[bytes]) -> Iterator[bytes]:
    """Take a line. An event ends with an empty line; one that is whole JSON need not wait for it.

    Args:
        line: without its end.
        event: the data lines so far of an event of several; changed here.
    """
    field, _, value = line.partition(b":")
    if line.startswith(b"<"):
        raise BrokenStreamError("it sent a web page instead of a reply")
    if line and field not in (b"data", b"error"):  # a comment, or what nobody needs
        return
    if field == b"error":  # llama-server's builds before 2025
        raise RefusedInStreamError(refusal_from(_SERVER_ERROR, value.strip()))
    if line:
        data = value.removeprefix(b" ")
        if not event and (data.strip() == DONE or data.rstrip().endswith(b"}")):
            yield data.strip()
        elif data.strip():
            event.append(data)
    elif event:
        whole, event[:] = b"\n".join(event), []
        yield whole.strip()


def _chunk(data: bytes) -> dict[str, Any] | None:
    try:
        chunk = decoded(data)
    except LlamaServerLostError as error:
        raise BrokenStreamError("it sent something that is not JSON") from error
    if not isinstance(chunk, dict):
        return None
    said = chunk.get("error")
    if said or chunk.get("object") == "error":  # the second is vLLM's older form
        fault = said if isinstance(said, dict) else chunk
        raise RefusedInStreamError(refusal_from(_status_in(fault), data))
    return in_our_shape(chunk)


def _status_in(fault: Mapping[str, Any]) -> int:
    code = fault.get("code")
    if isinstance(code, str) and code.isdigit() and len(code) == len("500"):
        code = int(code)
    is_status = isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600
    return code if isinstance(code, int) and is_status else _SERVER_ERROR


def in_our_shape(chunk: dict[str, Any]) -> dict[str, Any]:
    """Return a chunk as llama-server would have sent it.

    The model's name is left out: servers answer with another than they were asked for.
    """
    shaped = {name: value for name, value in chunk.items() if name != "model"}
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return shaped
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        whole = choice.get("message")
        delta = whole if isinstance(whole, dict) else {}
        if isinstance(choice.get("text"), str):  # as of /v1/completions
            delta = {"content": choice["text"]}
    shaped["choices"] = [{**choice, "delta": _delta(delta)}]
    return shaped


def _delta(delta: dict[str, Any]) -> dict[str, Any]:
    shaped = dict(delta)
    if isinstance(content := delta.get("content"), list):
        shaped["content"] = "".join(_texts(content))
    own = delta.get("reasoning_content")
    if not (isinstance(own, str) and own):
        reasoning = delta.get("reasoning")  # vLLM, OpenRouter, Ollama
        shaped["reasoning_content"] = reasoning if isinstance(reasoning, str) else None
    return shaped


def _texts(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        text = part if isinstance(part, str) else member(part, "text")
        if isinstance(text, str):
            yield text


def _ends(chunk: Mapping[str, Any]) -> bool:
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(member(choice, "finish_reason"), str)


def encoded(body: Mapping[str, Any]) -> bytes:
    """Return the JSON of a request."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
