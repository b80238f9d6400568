"""What a reply lacks is told with its one cause."""

from typing import Any

import pytest

from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.json_schema import ParsedReply
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.replies.reply_building import TurnFacts, reply_from

CALL = {"tool_calls": [{"index": 0, "function": {"name": "get_weather", "arguments": "{}"}}]}


def notes_of(deltas: list[dict[str, Any]], finish: str | None, **facts: Any) -> list[str]:
    partial = PartialReply()
    for delta in deltas:
        partial.take({"choices": [{"delta": delta}]})
    partial.take({"choices": [{"delta": {}, "finish_reason": finish}]})
    partial.take({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 10}})
    partial.end()
    known: dict[str, Any] = {
        "session_id": "s",
        "turn": 1,
        "status": TurnStatus.COMPLETE,
        "parsed": ParsedReply(),
        "context_limit": 100,
        "sampling": {},
        "model_ctx_size": None,
        "why_slow": lambda _rate: None,
        "turns_dropped": 0,
        "cache_miss": None,
        "notes": [],
    }
    return reply_from(partial, TurnFacts(**{**known, **facts})).notes


@pytest.mark.parametrize(
    ("deltas", "finish", "facts", "told"),
    [
        ([], "stop", {}, "the model ended its turn at once"),
        ([], "stop", {"has_stop_texts": True}, "stop texts, or ended its turn at once"),
        ([{"content": " \n"}], "stop", {}, "the model ended its turn at once"),
        ([{"reasoning_content": "Hm."}], "stop", {}, "reasoned and then ended its turn"),
        ([{"content": "<think>Hm.</think>"}], "stop", {}, "reasoned and then ended its turn"),
        ([{"reasoning_content": "Hm."}], "length", {}, "went into reasoning, at the longest"),
        ([{"content": "<think>Hm."}], "length", {}, "went into reasoning, at the longest"),
        ([{"content": "  "}], "length", {}, "went into white space, at the longest"),
        ([{"content": "It"}], "length", {}, "was cut off, at the longest length allowed"),
        ([{"content": "It"}], "length", {"context_limit": 20}, "of 20 tokens is full"),
        ([], "content_filter", {}, "content_filter"),
        ([], None, {}, "gives is: none"),
        ([CALL], "tool_calls", {}, "tried to call the tool get_weather"),
        ([CALL], "stop", {}, "tried to call the tool get_weather"),
    ],
)
def test_a_reply_that_lacks_something_has_one_note(
    deltas: list[dict[str, Any]], finish: str | None, facts: dict[str, Any], told: str
) -> None:
    (note,) = notes_of(deltas, finish, **facts)
    assert told in note


def test_a_whole_reply_has_none() -> None:
    assert notes_of([{"content": "Yes"}], "stop") == []
