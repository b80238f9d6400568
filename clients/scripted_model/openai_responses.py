"""OpenAI's Responses, as Codex and the OpenAI Agents SDK ask: `POST /v1/responses`.

Codex gives the tools of a server as one item, a namespace; a call of one names both.
"""

import json
from collections.abc import Iterator
from typing import Any

from .scenario import Answered, Asked, ToolCall

PATH = "/v1/responses"
# Between a namespace and a tool in the names of this module.
_DOT = "."


def read(body: dict[str, Any]) -> Asked:
    """Return what the request shows and holds."""
    items = body["input"] if isinstance(body["input"], list) else []
    names = {item["call_id"]: _named(item) for item in items if item.get("type") == "function_call"}
    answered = [
        Answered(names[item["call_id"]], json.dumps(item["output"]))
        for item in items
        if item.get("type") == "function_call_output" and item["call_id"] in names
    ]
    return Asked(tuple(_shown(body.get("tools") or [])), tuple(answered), json.dumps(body))


def whole(move: ToolCall | str, number: int) -> dict[str, Any]:
    """Return the answer to a request that does not stream."""
    usage: dict[str, Any] = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    usage["input_tokens_details"] = {"cached_tokens": 0}
    usage["output_tokens_details"] = {"reasoning_tokens": 0}
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "scripted",
        "output": [_item(move, number)],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
    }


def events(move: ToolCall | str, number: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a streamed answer."""
    response = whole(move, number)
    item = response["output"][0]
    begun = response | {"status": "in_progress", "output": []}
    steps: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response},
    ]
    for at, step in enumerate(steps):
        yield step | {"sequence_number": at}


def _shown(tools: list[dict[str, Any]]) -> Iterator[str]:
    for tool in tools:
        if tool["type"] == "namespace":
            yield from (f"{tool['name']}{_DOT}{inner['name']}" for inner in tool["tools"])
        elif "name" in tool:
            yield tool["name"]


def _named(item: dict[str, Any]) -> str:
    namespace = item.get("namespace")
    return f"{namespace}{_DOT}{item['name']}" if namespace else str(item["name"])


def _item(move: ToolCall | str, number: int) -> dict[str, Any]:
    if isinstance(move, str):
        part = {"type": "output_text", "text": move, "annotations": []}
        message = {"type": "message", "id": f"msg_{number}", "role": "assistant"}
        return message | {"status": "completed", "content": [part]}
    namespace, _, name = move.name.rpartition(_DOT)
    call = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}"}
    call |= {"name": name, "arguments": json.dumps(move.arguments), "status": "completed"}
    return call | ({"namespace": namespace} if namespace else {})
