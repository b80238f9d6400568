"""What is made of llama-server's JSON, whatever JSON it is: never an exception, never nonsense."""

import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llama_mcp.llama_server.api.refusals import SHOWN, error_from
from llama_mcp.turns.replies.partial_reply import PartialReply

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def objects(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects in which each of these members may be missing, right or of any type."""
    return st.fixed_dictionaries({}, optional={k: v | JSON for k, v in members.items()}) | JSON


COUNT = st.integers(0, 100)
CHUNKS = objects(
    choices=st.lists(
        objects(
            delta=objects(content=st.text(max_size=5), reasoning_content=st.text(max_size=5)),
            finish_reason=st.just("stop"),
        ),
        max_size=2,
    ),
    model=st.text(max_size=5),
    usage=objects(
        prompt_tokens=COUNT,
        completion_tokens=COUNT,
        prompt_tokens_details=objects(cached_tokens=COUNT),
    ),
    timings=objects(
        cache_n=COUNT,
        prompt_n=COUNT,
        predicted_n=COUNT,
        prompt_ms=COUNT,
        predicted_ms=COUNT,
        prompt_per_second=COUNT,
        predicted_per_second=COUNT,
    ),
    prompt_progress=objects(total=COUNT, cache=COUNT, processed=COUNT, time_ms=COUNT),
)


@settings(derandomize=True, database=None, deadline=None, max_examples=150)
@given(st.lists(CHUNKS, max_size=4))
def test_any_chunks_make_a_reply_with_figures_that_are_figures(chunks: list[Any]) -> None:
    reply = PartialReply()
    for chunk in chunks:
        reply.take(chunk)
        assert reply.tokens_handled >= 0
    usage, timing, receipt = reply.usage(), reply.timing(), reply.receipt(None)
    counts = [usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens]
    assert all(count is None or type(count) is int and 0 <= count < 2**53 for count in counts)
    figures = [timing.first_token_ms, timing.prompt_tokens_per_second, timing.tokens_per_second]
    figures += [receipt.prompt_ms, receipt.generation_ms]
    assert all(figure is None or math.isfinite(figure) and figure >= 0 for figure in figures)
    json.dumps([reply.text, reply.reasoning, reply.finish_reason, reply.model]).encode()


@settings(derandomize=True, database=None, deadline=None, max_examples=100)
@given(
    st.sampled_from([400, 500, 503, 599]),
    st.binary(max_size=50)
    | objects(error=objects(message=st.text())).map(json.dumps).map(str.encode),
)
def test_any_body_of_an_error_is_told_in_few_words(status: int, body: bytes) -> None:
    text = str(error_from(status, body))
    assert f"(HTTP {status})" in text
    assert len(text) < SHOWN + 300
