"""A call of a tool that a model makes is kept as text, whatever form it comes in."""

import json
from typing import Any

import pytest

from llama_mcp.turns.replies.partial_reply import PartialReply

WEATHER = {"name": "get_weather", "arguments": {"city": "Paris"}}


def received(*deltas: dict[str, Any]) -> PartialReply:
    reply = PartialReply()
    for delta in deltas:
        reply.take({"choices": [{"delta": delta}]})
    reply.take({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    return reply


def call(index: int, **function: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": function}]}


@pytest.mark.parametrize(
    "deltas",
    [
        [call(0, name="get_weather", arguments='{"city": "Paris"}')],
        [
            call(0, name="get_weather", arguments=""),
            call(0, arguments='{"city": '),
            call(0, arguments='"Paris"}'),
        ],
        [call(0, name="get_weather", arguments={"city": "Paris"})],
        [
            {"function_call": {"name": "get_weather", "arguments": '{"city"'}},
            {"function_call": {"arguments": ': "Paris"}'}},
        ],
    ],
    ids=["whole", "in pieces", "as data", "as older builds send it"],
)
def test_a_call_is_kept_as_json(deltas: list[dict[str, Any]]) -> None:
    reply = received(*deltas)
    assert json.loads(reply.text) == WEATHER
    assert reply.tool_calls.names == ["get_weather"]


@pytest.mark.parametrize(
    "deltas",
    [
        [call(0, name="a", arguments="{}"), {"content": "And this."}],
        [call(0, name="a", arguments=""), {"content": "And this."}],
    ],
)
def test_what_is_said_after_a_call_is_no_part_of_it(deltas: list[dict[str, Any]]) -> None:
    first, said = received(*deltas).text.splitlines()
    assert json.loads(first) == {"name": "a", "arguments": {}}
    assert said == "And this."


def test_calls_without_an_index_are_told_apart_by_whole_arguments() -> None:
    def bare(**function: Any) -> dict[str, Any]:
        return {"tool_calls": [{"function": function}]}

    reply = received(
        bare(name="a", arguments='{"x":'), bare(name="a", arguments="1}"), bare(name="b")
    )
    assert [json.loads(line) for line in reply.text.splitlines()] == [
        {"name": "a", "arguments": {"x": 1}},
        {"name": "b", "arguments": {}},
    ]


def test_arguments_that_go_on_after_other_text_are_not_lost() -> None:
    reply = received(
        call(0, name="a", arguments='{"x":'), {"content": "Hm"}, call(0, arguments="1}")
    )
    assert '{"x":' in reply.text and "Hm" in reply.text and reply.text.endswith("1}")


def test_several_calls_are_lines_below_what_was_said() -> None:
    reply = received({"content": "Let me look."}, call(0, name="a"), call(1, name="b"))
    said, *calls = reply.text.splitlines()
    assert said == "Let me look."
    assert [json.loads(line) for line in calls] == [
        {"name": "a", "arguments": {}},
        {"name": "b", "arguments": {}},
    ]


@pytest.mark.parametrize(
    "delta",
    [
        {"tool_calls": None},
        {"tool_calls": [None, 5, {}, {"function": None}, {"function": {"arguments": "x"}}]},
        {"function_call": "x"},
        {"tool_calls": [{"function": {"name": 5, "arguments": 5}}]},
    ],
    ids=str,
)
def test_what_is_no_call_is_ignored(delta: dict[str, Any]) -> None:
    assert received(delta).text == ""
