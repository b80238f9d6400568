"""Streams of any shape become llama-server's chunks, or an error of ours, and nothing else."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.llama_server.remote.wire.chunks import (
    BrokenStreamError,
    RefusedInStreamError,
    chunks_in,
)

END = {"choices": [{"delta": {}, "finish_reason": "stop"}]}


def read(body: bytes, cuts: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Return the chunks of a body that comes in pieces, cut at these places."""
    places = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    pieces = [body[a:b] for a, b in zip(places, places[1:], strict=False)]

    async def come() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def all_chunks() -> list[dict[str, Any]]:
        return [chunk async for chunk in chunks_in(come())]

    # Nothing in it waits, so no event loop is needed.
    try:
        all_chunks().send(None)
    except StopIteration as end:
        chunks: list[dict[str, Any]] = end.value
        return chunks
    raise AssertionError("it has waited for something")


def text_in(chunks: list[dict[str, Any]]) -> str:
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk.get("choices")]
    return "".join(delta.get("content") or "" for delta in deltas)


@given(
    words=st.lists(st.text(max_size=8), max_size=6),
    ends=st.lists(st.sampled_from(["\n", "\r\n"]), min_size=1, max_size=3),
    extra=st.lists(
        st.sampled_from([": ping", "event: message", "id: 7", "", "retry: 3", "x-other: 1"])
    ),
    space=st.sampled_from(["", " "]),
    done=st.booleans(),
    empty=st.booleans(),
    cuts=st.lists(st.integers(0, 2000), max_size=12),
)
def test_every_word_arrives_once_in_any_shape_and_any_pieces(
    words: list[str],
    ends: list[str],
    extra: list[str],
    space: str,
    done: bool,
    empty: bool,
    cuts: list[int],
) -> None:
    end = ends[0]
    chunks: list[dict[str, Any]] = [{"choices": [{"delta": {"content": word}}]} for word in words]
    chunks += [{"choices": []}] if empty else []
    lines = []
    for chunk in [*chunks, END]:
        lines += [*extra, f"data:{space}{json.dumps(chunk)}", ""]
    lines += ["data: [DONE]", ""] if done else []
    body = "".join(line + end for line in lines).encode()
    assert text_in(read(body, cuts)) == "".join(words)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_bytes_of_any_kind_are_a_stream_or_an_error_of_ours(body: bytes, cuts: list[int]) -> None:
    with suppress(BrokenStreamError, RefusedInStreamError):
        read(body, cuts)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "content", "message", "error", "text", "reasoning", "usage"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_json_of_any_shape_is_a_chunk_or_an_error_of_ours(value: Any) -> None:
    body = f"data: {json.dumps(value)}\n\ndata: {json.dumps(END)}\n\n".encode()
    with suppress(BrokenStreamError, RefusedInStreamError):
        assert all(isinstance(chunk, dict) for chunk in read(body))


@pytest.mark.parametrize(
    ("chunk", "delta"),
    [
        ({"choices": [{"message": {"content": "whole"}}]}, {"content": "whole"}),
        ({"choices": [{"text": "old"}]}, {"content": "old"}),
        (
            {"choices": [{"delta": {"content": [{"type": "text", "text": "a"}, "b"]}}]},
            {"content": "ab"},
        ),
        ({"choices": [{"delta": {"reasoning": "so"}}]}, {"reasoning_content": "so"}),
        (
            {"choices": [{"delta": {"reasoning": "same", "reasoning_content": "same"}}]},
            {"reasoning_content": "same"},
        ),
    ],
)
def test_other_forms_of_a_delta_become_ours(chunk: Any, delta: dict[str, str]) -> None:
    body = f"data: {json.dumps(chunk)}\n\ndata: {json.dumps(END)}\n\n".encode()
    found = read(body)[0]["choices"][0]["delta"]
    assert found | delta == found


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ('data: {"error": {"message": "no", "code": 400}}', 400),
        ('data: {"error": {"message": "no", "code": "503"}}', 503),
        ('data: {"error": {"message": "no", "code": "context_length_exceeded"}}', 500),
        ('data: {"error": "no"}', 500),
        ('event: error\ndata: {"object": "error", "message": "no", "code": 404}', 404),
        ("error: no", 500),
    ],
)
def test_an_error_in_the_stream_is_one(event: str, status: int) -> None:
    with pytest.raises(RefusedInStreamError) as error:
        read(f"{event}\n\n".encode())
    assert error.value.refusal.status == status and "no" in error.value.refusal.message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "before the reply was complete"),
        (b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n', "before the reply"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"data: {nonsense}\n\n", "not JSON"),
        (b"{nonsense", "not JSON"),
    ],
)
def test_what_is_no_whole_reply_is_said(body: bytes, said: str) -> None:
    with pytest.raises(BrokenStreamError, match=said):
        read(body)


def test_an_event_of_several_lines_is_one() -> None:
    body = (
        b'data: {"choices":\ndata: [{"delta": {"content": "a"},\ndata: "finish_reason": "stop"}]}'
    )
    assert text_in(read(body)) == "a"
