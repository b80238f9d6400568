"""A reply that is cut at any chunk and gone on with is the reply that nobody cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.replies.saved_reply import reply_of, state_of

PIECES = ["<th", "ink>", "</thi", "nk>", " ", "\n", "Hm. ", "word", "`", "[THINK]", "[/THINK]", "é"]


def delta(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields}]}


def call(index: int | None, name: str | None, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return delta(tool_calls=[{"index": index, "function": function}])


CHUNKS = st.one_of(
    st.sampled_from(PIECES).map(lambda text: delta(content=text)),
    st.sampled_from(PIECES).map(lambda text: delta(reasoning_content=text)),
    st.builds(call, st.sampled_from([0, 1, None]), st.sampled_from(["f", None]),
              st.sampled_from(['{"a":', "1}", "{}", ""])),
    st.just({"prompt_progress": {"total": 10, "cache": 4, "processed": 6, "time_ms": 7}}),
)  # fmt: skip
CLOSING: list[dict[str, Any]] = [
    {"choices": [{"delta": {}, "finish_reason": "stop"}], "model": "m"},
    {
        "choices": [],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        "timings": {"prompt_n": 6, "cache_n": 4, "prompt_ms": 20.0, "predicted_ms": 30.0},
    },
]


def what_came(reply: PartialReply) -> tuple[object, ...]:
    reply.end()
    receipt = reply.receipt(None)
    return (
        reply.text,
        reply.reasoning,
        reply.finish_reason,
        reply.model,
        reply.generated,
        reply.tool_calls.names,
        reply.usage(),
        receipt.reasoning_tokens,
        reply.tokens_handled,
    )


@given(st.lists(CHUNKS, max_size=12), st.data())
def test_a_reply_goes_on_exactly_wherever_it_was_cut(
    chunks: list[dict[str, Any]], data: st.DataObject
) -> None:
    chunks = [*chunks, *CLOSING]
    whole, first = PartialReply(), PartialReply()
    for chunk in chunks:
        whole.take(chunk)
    cut = data.draw(st.integers(0, len(chunks)))
    for chunk in chunks[:cut]:
        first.take(chunk)
    state = json.loads(json.dumps(state_of(first)))
    rest = reply_of(state, first.text, first.reasoning)
    for chunk in chunks[cut:]:
        rest.take(chunk)
    assert what_came(rest) == what_came(whole)


def test_a_reply_that_was_read_on_is_timed_by_llama_server_alone() -> None:
    first = PartialReply()
    first.take_place(None)
    rest = reply_of(state_of(first), "", "")
    for chunk in [delta(content="word"), *CLOSING]:
        rest.take(chunk)
    timing, receipt = rest.timing(), rest.receipt(None)
    assert (receipt.prompt_ms, receipt.generation_ms) == (20.0, 30.0)
    queue_ms = first.queue_ms or 0
    assert timing.first_token_ms == pytest.approx(20.0 + queue_ms)
    assert timing.total_ms == pytest.approx(50.0 + queue_ms)


def test_a_reply_of_which_no_state_was_saved_begins_at_its_texts() -> None:
    reply = reply_of({}, "so far", "")
    reply.take(delta(content=", and on"))
    reply.end()
    assert reply.text == "so far, and on"
