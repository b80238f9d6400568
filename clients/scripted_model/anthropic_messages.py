"""Anthropic's Messages, as Claude Code asks: `POST /v1/messages`."""

import json
from collections.abc import Iterator
from typing import Any

from .scenario import Answered, Asked, ToolCall

PATH = "/v1/messages"


def read(body: dict[str, Any]) -> Asked:
    """Return what the request shows and holds."""
    blocks = [
        block
        for message in body["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
    ]
    names = {block["id"]: block["name"] for block in blocks if block["type"] == "tool_use"}
    answered = [
        Answered(names[block["tool_use_id"]], json.dumps(block.get("content")))
        for block in blocks
        if block["type"] == "tool_result" and block["tool_use_id"] in names
    ]
    shown = [tool["name"] for tool in body.get("tools", []) if "name" in tool]
    return Asked(tuple(shown), tuple(answered), json.dumps(body))


def whole(move: ToolCall | str, number: int) -> dict[str, Any]:
    """Return the answer to a request that does not stream."""
    block = _block(move, number)
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [block],
        "stop_reason": "end_turn" if isinstance(move, str) else "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def events(move: ToolCall | str, number: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a streamed answer."""
    message = whole(move, number)
    yield {
        "type": "message_start",
        "message": message | {"content": [], "stop_reason": None},
    }
    block = message["content"][0]
    if isinstance(move, str):
        empty, delta = block | {"text": ""}, {"type": "text_delta", "text": move}
    else:
        empty = block | {"input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(move.arguments)}
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
        "usage": {"output_tokens": 1},
    }
    yield {"type": "message_stop"}


def _block(move: ToolCall | str, number: int) -> dict[str, Any]:
    if isinstance(move, str):
        return {"type": "text", "text": move}
    use = {"type": "tool_use", "id": f"toolu_{number}"}
    return use | {"name": move.name, "input": move.arguments}
