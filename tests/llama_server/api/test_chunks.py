"""The body of a stream taken apart, and the mark at which somebody else reads on."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.llama_server.api.chunks import StreamMark, chunks_of
from llama_mcp.llama_server.errors import LlamaServerLostError

EVENTS = [
    b'data: {"n": 0}\n\n',
    b": ping\n\n",
    b'data: {"n": 1}\r\n\r\n',
    b'data: {"n": "\xc3\xa9"}\n\n',
]
BODY = b"".join(EVENTS)
DONE = b"data: [DONE]\n\n"
VALUES: list[dict[str, Any]] = [{"n": 0}, {"n": 1}, {"n": "é"}]


async def in_pieces(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_chunks_come_whatever_pieces_the_body_comes_in() -> None:
    for length in range(1, len(BODY)):
        body = BODY + DONE
        pieces = [body[at : at + length] for at in range(0, len(body), length)]
        assert [chunk async for chunk in chunks_of(in_pieces(pieces), {})] == VALUES


async def test_whoever_begins_at_the_mark_gets_what_was_not_taken() -> None:
    for end in range(len(BODY) + 1):
        mark = StreamMark("id")
        taken: list[Any] = []
        with pytest.raises(LlamaServerLostError):
            async for chunk in chunks_of(in_pieces([BODY[:end]]), {}, mark):
                taken += [chunk]
        rest = in_pieces([(BODY + DONE)[mark.byte :]])
        assert taken + [chunk async for chunk in chunks_of(rest, {})] == VALUES, end


async def test_a_mark_read_beside_each_chunk_is_behind_it() -> None:
    mark = StreamMark("id")
    seen = [mark.byte async for _ in chunks_of(in_pieces([BODY + DONE]), {}, mark)]
    assert [(BODY + DONE)[byte:].lstrip()[:8] for byte in seen] == [
        b": ping\n\n",
        EVENTS[3][:8],
        DONE[:8],
    ]


@given(st.binary(max_size=40))
async def test_no_bytes_at_all_break_it(body: bytes) -> None:
    with pytest.raises(LlamaServerLostError):
        async for _ in chunks_of(
            in_pieces([body.replace(b"error", b"").replace(b"DONE", b"")]), {}
        ):
            pass
