"""OpenAI's Chat Completions, as most programs ask: `POST /v1/chat/completions`."""

import json
from collections.abc import Iterator
from typing import Any

from .scenario import Answered, Asked, ToolCall

PATH = "/v1/chat/completions"


def read(body: dict[str, Any]) -> Asked:
    """Return what the request shows and holds."""
    names = {
        call["id"]: call["function"]["name"]
        for message in body["messages"]
        for call in message.get("tool_calls") or []
    }
    answered = [
        Answered(names[message["tool_call_id"]], json.dumps(message["content"]))
        for message in body["messages"]
        if message["role"] == "tool"
    ]
    shown = [tool["function"]["name"] for tool in body.get("tools") or []]
    return Asked(tuple(shown), tuple(answered), json.dumps(body))


def whole(move: ToolCall | str, number: int) -> dict[str, Any]:
    """Return the answer to a request that does not stream."""
    return _answer(move, number, "chat.completion", "message")


def events(move: ToolCall | str, number: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a streamed answer."""
    yield _answer(move, number, "chat.completion.chunk", "delta")


def _answer(move: ToolCall | str, number: int, kind: str, place: str) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": move}
    if not isinstance(move, str):
        function = {"name": move.name, "arguments": json.dumps(move.arguments)}
        call = {"index": 0, "id": f"call_{number}", "type": "function", "function": function}
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
    reason = "stop" if isinstance(move, str) else "tool_calls"
    return {
        "id": f"chatcmpl-{number}",
        "object": kind,
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, place: said, "finish_reason": reason}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
