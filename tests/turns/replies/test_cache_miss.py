"""Why a prompt was read again: each cause from its facts, and "unknown" without any."""

from dataclasses import replace

import pytest

from llama_mcp.sessions.records import CacheFacts, Usage
from llama_mcp.turns.replies.cache_miss import ServingFacts, why_recomputed

KEPT = CacheFacts(
    is_first_turn=False,
    last_run="now",
    was_system_prompt_changed=False,
    other_sessions=0,
    last_model="tiny",
)
SERVING = ServingFacts(run="now", model="tiny", is_history_cut=False, says_not_supported=False)
MISS = Usage(prompt_tokens=100, cached_tokens=49)


@pytest.mark.parametrize(
    ("kept", "serving", "expected"),
    [
        ({"is_first_turn": True, "last_run": None}, {}, "first turn"),
        ({"last_run": "before"}, {}, "server restarted"),
        ({"was_system_prompt_changed": True}, {}, "session edited"),
        ({}, {"is_history_cut": True}, "history cut"),
        ({}, {"says_not_supported": True}, "model does not support it"),
        ({"other_sessions": 2}, {}, "pushed out by other sessions: 2 other"),
        ({}, {}, "unknown"),
        ({"last_run": None}, {}, "unknown"),
        # What surely empties the cache comes before what may have.
        ({"last_run": "before", "other_sessions": 2}, {}, "server restarted"),
        ({"other_sessions": 2}, {"is_history_cut": True}, "history cut"),
        # Of another model's launch it does not count that it is another launch.
        ({"last_run": "before", "last_model": "large"}, {}, "model changed: large answered"),
        ({"last_run": "before", "last_model": None}, {}, "server restarted"),
    ],
)
def test_the_cause_follows_from_the_facts(
    kept: dict[str, object], serving: dict[str, object], expected: str
) -> None:
    facts = replace(KEPT, **kept), replace(SERVING, **serving)  # type: ignore[arg-type]  # by name
    cause = why_recomputed(MISS, *facts)
    assert cause is not None and cause.startswith(expected)


@pytest.mark.parametrize(
    "usage",
    [
        Usage(prompt_tokens=100, cached_tokens=50),
        Usage(prompt_tokens=100),
        Usage(cached_tokens=1),
        Usage(prompt_tokens=0, cached_tokens=0),
    ],
)
def test_no_cause_is_given_for_half_of_the_prompt_or_for_counts_that_nobody_has(
    usage: Usage,
) -> None:
    assert why_recomputed(usage, KEPT, SERVING) is None
