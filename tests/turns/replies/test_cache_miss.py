"""Why a prompt was read again: each cause from its facts, and "unknown" without any."""

from dataclasses import replace

import pytest

from llama_mcp.sessions.begun_turns import CacheFacts
from llama_mcp.sessions.records import Usage
from llama_mcp.turns.replies.cache_miss import ServingFacts, pushed_out_by, why_recomputed

KEPT = CacheFacts(
    is_first_turn=False,
    last_run="now",
    was_system_prompt_changed=False,
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
        ({}, {}, "unknown"),
        ({"last_run": None}, {}, "unknown"),
        # What surely empties the cache comes before what may have.
        ({"last_run": "before"}, {"is_history_cut": True}, "server restarted"),
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


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (0, "unknown"),
        (1, "pushed out by other sessions: 1 other used llama-server since the turn before"),
        (2, "pushed out by other sessions: 2 others used llama-server since the turn before"),
        (9, "pushed out by other sessions: at least 9 others used llama-server since the turn"),
    ],
)
def test_other_sessions_are_a_cause_where_no_other_is_known(others: int, expected: str) -> None:
    assert pushed_out_by(others, most_counted=9).startswith(expected)
