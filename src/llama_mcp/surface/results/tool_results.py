"""Results as clients get them: a text and a structure that each stand alone.

Hosts differ: some give their model only the structure, others only the text. So the text holds
what matters in few words, and the structure everything but what is null or empty.
"""

import json
from typing import Any

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel

from llama_mcp.sessions.texts import clean_text

JSON = "application/json"
# The model's or the caller's own data, in which null and empty mean something.
VERBATIM = frozenset({"parsed", "sampling"})


def tool_result(text: str, content: BaseModel) -> CallToolResult:
    """Return a tool's result with that text and that structure."""
    return CallToolResult(
        content=[TextContent(type="text", text=clean_text(text))],
        structured_content=structure_of(content),
    )


def structure_of(content: BaseModel) -> dict[str, Any]:
    """Return the model as JSON data without what is null or empty, all of it valid Unicode."""
    pruned = _pruned(content.model_dump(mode="json"))
    return pruned if isinstance(pruned, dict) else {}


def json_text(content: BaseModel | dict[str, Any]) -> str:
    """Return a result as indented JSON, without what is null or empty; data is taken as it is."""
    data = structure_of(content) if isinstance(content, BaseModel) else content
    return json.dumps(data, ensure_ascii=False, indent=2)


def _pruned(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_pruned(item) for item in value]
    if isinstance(value, dict):
        pairs = (
            (name, _cleaned(item) if name in VERBATIM else _pruned(item))
            for name, item in value.items()
        )
        return {name: item for name, item in pairs if item is not None and item not in ([], {})}
    return value


def _cleaned(value: Any) -> Any:
    """Return data that is not ours as it is, but for lone surrogates."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(name): _cleaned(item) for name, item in value.items()}
    return value
