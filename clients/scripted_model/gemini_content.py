"""Google's Gemini, as Gemini CLI asks: `POST /v1beta/models/NAME:streamGenerateContent`."""

import json
from collections.abc import Iterator
from typing import Any

from .scenario import Answered, Asked, ToolCall

PATH = "/v1beta/models/"


def read(body: dict[str, Any]) -> Asked:
    """Return what the request shows and holds."""
    parts = [part for content in body["contents"] for part in content.get("parts") or []]
    answers = [part["functionResponse"] for part in parts if "functionResponse" in part]
    answered = [Answered(answer["name"], json.dumps(answer["response"])) for answer in answers]
    shown = [
        function["name"]
        for tool in body.get("tools") or []
        for function in tool.get("functionDeclarations") or []
    ]
    return Asked(tuple(shown), tuple(answered), json.dumps(body))


def whole(move: ToolCall | str, number: int) -> dict[str, Any]:
    """Return the answer to a request that does not stream."""
    part: dict[str, Any] = {"text": move}
    if not isinstance(move, str):
        part = {"functionCall": {"name": move.name, "args": move.arguments}}
    content = {"role": "model", "parts": [part]}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    candidate = {"content": content, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "responseId": f"response-{number}"}


def events(move: ToolCall | str, number: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a streamed answer."""
    yield whole(move, number)
