"""JSON as resources give it."""

import json
from typing import Any

from pydantic import BaseModel

from llama_mcp.surface.results import structure_of

JSON = "application/json"


def json_text(content: BaseModel | dict[str, Any]) -> str:
    """Return a result as indented JSON, without what is null or empty; data is taken as it is."""
    data = structure_of(content) if isinstance(content, BaseModel) else content
    return json.dumps(data, ensure_ascii=False, indent=2)
