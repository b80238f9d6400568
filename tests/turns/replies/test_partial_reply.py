"""A reply gathered from whatever a stream may hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.turns.replies.partial_reply import PartialReply

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
FIELDS = ("choices", "usage", "timings", "prompt_progress", "model", "error")


def chunk(content: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content, **delta}}]}


def test_pieces_are_joined_and_reasoning_stays_apart() -> None:
    reply = PartialReply()
    chunks: list[dict[str, Any]] = [
        chunk(None, role="assistant"),
        chunk(None, reasoning_content="Hm."),
        chunk("One"),
        chunk(None, role="assistant"),
        {"choices": []},
        chunk(" two"),
        {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    ]
    for item in chunks:
        reply.take(item)
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("One two", "Hm.", "stop")
    assert reply.generated == 3
    assert reply.first_token_ms is not None


def test_progress_counts_the_prompt_and_then_what_is_generated() -> None:
    reply = PartialReply()
    handled = []
    chunks: list[dict[str, Any]] = [
        {"prompt_progress": {"total": 10, "cache": 4, "processed": 6, "time_ms": 1}},
        {"prompt_progress": {"total": 10, "cache": 4, "processed": 10, "time_ms": 2}},
        chunk("a"),
        chunk("b"),
    ]
    for item in chunks:
        reply.take(item)
        handled.append(reply.tokens_handled)
    assert handled == [6, 10, 11, 12]


def test_the_time_that_the_prompt_still_takes_goes_by_what_was_read_and_not_by_the_cache() -> None:
    reply = PartialReply()
    assert reply.prompt_seconds_left is None
    reply.take({"prompt_progress": {"total": 1000, "cache": 400, "processed": 400, "time_ms": 0}})
    assert reply.prompt_seconds_left is None
    reply.take(
        {"prompt_progress": {"total": 1000, "cache": 400, "processed": 600, "time_ms": 3000}}
    )
    assert reply.prompt_seconds_left == 6.0


@pytest.mark.parametrize(
    "last",
    [
        {
            "choices": [],
            "usage": {
                "prompt_tokens": 10,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 4},
            },
        },
        {"timings": {"cache_n": 4, "prompt_n": 6, "predicted_n": 2, "predicted_per_second": 5.0}},
    ],
    ids=["usage chunk", "timings of an older build"],
)
def test_usage_comes_from_whatever_the_build_sends(last: dict[str, Any]) -> None:
    reply = PartialReply()
    reply.take(last)
    usage = reply.usage()
    assert (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens) == (10, 4, 2)


def test_a_lone_surrogate_becomes_a_character_that_can_be_sent() -> None:
    reply = PartialReply()
    reply.take(chunk("\ud83d"))
    assert reply.text.encode()


@given(st.lists(JSON | st.dictionaries(st.sampled_from(FIELDS), JSON), max_size=6))
def test_no_chunk_whatever_its_types_raises_or_makes_figures_up(chunks: list[Any]) -> None:
    reply = PartialReply()
    for item in chunks:
        reply.take(item)
    reply.text.encode()
    usage, timing = reply.usage(), reply.timing()
    for count in (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens):
        assert count is None or count >= 0
    assert timing.tokens_per_second is None or timing.tokens_per_second > 0
