"""The scripted model takes the steps of its scenario, whatever a client calls our tools."""

import json
import urllib.request
from typing import Any

import pytest
from clients.scripted_model import (
    anthropic_messages,
    gemini_content,
    openai_chat,
    openai_responses,
)
from clients.scripted_model.scenario import (
    LAST_WORDS,
    MOST_FAILURES,
    Answered,
    Asked,
    Step,
    ToolCall,
    next_move,
    steps_done,
)
from clients.scripted_model.server import ScriptedModel

START = Step(ToolCall("start_llama_server"), r"is ready at")
CHAT = Step(ToolCall("chat", {"message": "Hello"}), r"\bcomplete\b")
SCENARIO = (START, CHAT)
OURS = ("start_llama_server", "chat", "wait_for_reply")
READY = "tiny is ready at http://127.0.0.1:1"
LATER = r'{"session_id": "ab12-cd34-ef56", "status": "in_progress"}'
COMPLETE = "Paris [session_id=ab12-cd34-ef56, turn 1, complete]"


def asked(*results: tuple[str, str], shown: tuple[str, ...] = OURS, text: str = "") -> Asked:
    return Asked(shown, tuple(Answered(*result) for result in results), text)


def test_each_step_is_taken_when_the_one_before_is_done() -> None:
    assert next_move(SCENARIO, asked()) == START.call
    assert next_move(SCENARIO, asked(("start_llama_server", READY))) == CHAT.call
    over = asked(("start_llama_server", READY), ("chat", COMPLETE))
    assert next_move(SCENARIO, over) == LAST_WORDS
    assert steps_done(SCENARIO, over) == 2


@pytest.mark.parametrize(
    "later", [LATER, json.dumps(LATER), "[session_id=ab12-cd34-ef56, turn 1, waiting]"]
)
def test_a_reply_in_progress_is_waited_for_by_its_session(later: str) -> None:
    move = next_move((CHAT,), asked(("chat", later), ("wait_for_reply", later)))
    assert move == ToolCall("wait_for_reply", {"session_id": "ab12-cd34-ef56"})
    done = asked(("chat", later), ("wait_for_reply", COMPLETE))
    assert next_move((CHAT,), done) == LAST_WORDS and steps_done((CHAT,), done) == 1


def test_a_call_that_was_cut_off_is_made_again_but_not_for_ever() -> None:
    cut_off = ("chat", "timed out awaiting tools/call after 8s")
    assert next_move((CHAT,), asked(*[cut_off] * (MOST_FAILURES - 1))) == CHAT.call
    assert next_move((CHAT,), asked(*[cut_off] * MOST_FAILURES)) == LAST_WORDS


@pytest.mark.parametrize(
    "name",
    ["chat", "mcp__llama-mcp__chat", "mcp_llama-mcp_chat", "llama-mcp_chat", "llama-mcp-chat"],
)
def test_a_tool_is_called_as_the_client_names_it(name: str) -> None:
    assert next_move((CHAT,), asked(shown=("other", name))) == ToolCall(name, {"message": "Hello"})


def test_a_tool_that_is_not_shown_is_searched_for_where_there_is_a_search() -> None:
    query = {"query": "select:mcp__llama-mcp__chat"}
    hidden = asked(shown=("ToolSearch",), text="still connecting: llama-mcp")
    assert next_move((CHAT,), hidden) == ToolCall("ToolSearch", query)
    assert next_move((CHAT,), asked(shown=("ToolSearch",))) == LAST_WORDS
    assert next_move((CHAT,), asked(shown=())) == LAST_WORDS


TOOL = {"name": "chat", "description": "", "parameters": {}}
ANTHROPIC = {
    "tools": [{"name": "chat", "input_schema": {}}],
    "messages": [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "chat"}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "1", "content": COMPLETE}],
        },
    ],
}
CHAT_COMPLETIONS = {
    "tools": [{"type": "function", "function": TOOL}],
    "messages": [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "chat"}}]},
        {"role": "tool", "tool_call_id": "1", "content": COMPLETE},
    ],
}
RESPONSES = {
    "tools": [{"type": "function", **TOOL}],
    "input": [
        {"role": "user", "content": "Hello"},
        {"type": "function_call", "call_id": "1", "name": "chat", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": COMPLETE},
    ],
}
GEMINI = {
    "tools": [{"functionDeclarations": [TOOL]}],
    "contents": [
        {"role": "model", "parts": [{"functionCall": {"name": "chat", "args": {}}}]},
        {
            "role": "user",
            "parts": [{"functionResponse": {"name": "chat", "response": {"output": COMPLETE}}}],
        },
    ],
}
DIALECTS = {
    anthropic_messages.PATH: ANTHROPIC,
    openai_chat.PATH: CHAT_COMPLETIONS,
    openai_responses.PATH: RESPONSES,
    f"{gemini_content.PATH}any:generateContent": GEMINI,
}


def post(url: str, body: dict[str, Any]) -> str:
    request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("path", DIALECTS)
def test_what_was_shown_and_told_is_understood_in_each_dialect(path: str) -> None:
    with ScriptedModel((CHAT, START)) as model:
        whole = post(model.url + path, DIALECTS[path])
        assert LAST_WORDS in whole, "the second step's tool is not shown"
        streamed = DIALECTS[path] | {"stream": True}
        events = post(model.url + path.replace(":generate", ":streamGenerate"), streamed)
    assert all(line.startswith(("event: ", "data: ")) for line in events.splitlines() if line)
    assert LAST_WORDS in events
    first, second = model.exchanges
    assert first.asked.shown == ("chat",)
    assert [call.name for call in first.asked.answered] == ["chat"]
    assert COMPLETE in first.asked.answered[0].result
    assert second.asked.answered == first.asked.answered
    assert model.errors == model.others == []


@pytest.mark.parametrize("path", DIALECTS)
def test_a_call_is_told_in_each_dialect(path: str) -> None:
    with ScriptedModel((CHAT, CHAT)) as model:
        whole = post(model.url + path, DIALECTS[path])
        events = post(
            model.url + path.replace(":generate", ":streamGenerate"),
            DIALECTS[path] | {"stream": True},
        )
    for answer in (whole, events):
        assert '"chat"' in answer and "Hello" in answer


def test_codex_names_a_tool_and_its_namespace() -> None:
    tools = [{"type": "namespace", "name": "mcp__llama_mcp", "tools": [{"name": "chat"}]}]
    request = openai_responses.read({"tools": tools, "input": "Hello"})
    move = next_move((CHAT,), request)
    assert isinstance(move, ToolCall)
    item = openai_responses.whole(move, 1)["output"][0]
    assert (item["namespace"], item["name"]) == ("mcp__llama_mcp", "chat")
    again = openai_responses.read(
        {"input": [item, {"type": "function_call_output", "call_id": "call_1", "output": COMPLETE}]}
    )
    assert steps_done((CHAT,), again) == 1
