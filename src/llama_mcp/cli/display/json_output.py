"""What a command says as one JSON document, for programs."""

import json
import sys
from typing import Any

from pydantic import BaseModel

from llama_mcp.observing.lean_data import structure_of
from llama_mcp.visible_text import escape_unseen


def print_json(content: BaseModel | dict[str, Any], *, indent: int | None = 2) -> None:
    """Print a document on stdout, without what is null or empty; data is taken as it is.

    Control characters are escaped by JSON, so that it is harmless at a terminal, too.
    """
    sys.stdout.write(json_document(content, indent=indent))
    sys.stdout.flush()


def json_document(content: BaseModel | dict[str, Any], *, indent: int | None = 2) -> str:
    """Return a document with a line end."""
    data = structure_of(content) if isinstance(content, BaseModel) else content
    return escape_unseen(json.dumps(data, ensure_ascii=False, indent=indent)) + "\n"
