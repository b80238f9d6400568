"""What an engine says of itself may be anything, and becomes facts or nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.llama_server.remote.finding_out import _entries, _facts

NAMES = st.sampled_from(
    [
        *("data", "id", "meta", "n_ctx", "n_ctx_train", "max_model_len", "aliases", "modalities"),
        *("vision", "default_generation_settings", "total_slots", "build_info", "endpoint_slots"),
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=15,
)


@given(ANYTHING, ANYTHING)
def test_facts_come_of_anything(listed: Any, props: Any) -> None:
    facts = _facts("llama-server", "some-model", _entries(listed), props)
    for count in (facts.window, facts.total_slots, facts.model_ctx_size):
        assert count is None or (isinstance(count, int) and count > 0)
    assert all(isinstance(name, str) and name for name in facts.models)


@pytest.mark.parametrize(
    ("entry", "window"),
    [
        ({"max_model_len": 32768}, 32768),
        ({"context_window": 8192}, 8192),
        ({"meta": {"n_ctx": 4096, "n_ctx_train": 8192}}, 4096),
        ({"max_model_len": "32768"}, None),
        ({"max_model_len": 0}, None),
        ({}, None),
    ],
)
def test_a_window_is_found_under_any_of_its_names(entry: Any, window: int | None) -> None:
    listed = {"data": [{"id": "another"}, {"id": "mine", **entry}]}
    assert _facts("openai", "mine", _entries(listed), None).window == window
