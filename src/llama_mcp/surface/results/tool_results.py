"""Results as clients get them: a text and a structure that each stand alone.

Hosts differ: some give their model only the structure, others only the text. So the text holds
what matters in few words, and the structure everything but what is null or empty.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel

from llama_mcp.observing.lean_data import structure_of
from llama_mcp.sessions.texts import clean_text
from llama_mcp.surface.sizes import RESULT_BYTES, fitting
from llama_mcp.visible_text import escape_unseen, visible

JSON = "application/json"


def tool_result(
    text: str,
    content: BaseModel | dict[str, Any],
    beside: Mapping[str, BaseModel] = MappingProxyType({}),
    *,
    is_reply: bool = False,
    rest: str = "",
) -> CallToolResult:
    """Return a tool's result with that text and that structure, cut to what fits a frame.

    Args:
        text: all that matters.
        content: the same as data; what is data already is taken as it is.
        beside: what programs want besides, by its name in _meta.
        is_reply: the text is what the caller asked for, to the character; other text is shown.
        rest: where the rest is of a text that has to be cut, as the end of a sentence.
    """
    whole = {
        "text": clean_text(text) if is_reply else visible(clean_text(text)),
        "structure": _data_of(content),
        "beside": {name: structure_of(item) for name, item in beside.items()},
    }
    cut = fitting(whole, rest)
    result = CallToolResult(
        content=[TextContent(type="text", text=cut["text"])], structured_content=cut["structure"]
    )
    if beside:
        result.meta = cut["beside"]
    return result


def json_text(content: BaseModel | dict[str, Any]) -> str:
    """Return a result as indented JSON, without what is null or empty; data is taken as it is."""
    fits = fitting(_data_of(content), room_bytes=RESULT_BYTES // 2)  # quoted once more on the wire
    return escape_unseen(json.dumps(fits, ensure_ascii=False, indent=2))


def _data_of(content: BaseModel | dict[str, Any]) -> dict[str, Any]:
    return structure_of(content) if isinstance(content, BaseModel) else content
