"""What a command says as one JSON document, for programs."""

import json
import sys
from argparse import SUPPRESS, ArgumentParser
from typing import Any

from pydantic import BaseModel

from llama_mcp.observing.lean_data import structure_of
from llama_mcp.visible_text import escape_unseen


def json_argument(parser: ArgumentParser) -> None:
    """Add --json to a command, and to each of its actions; the command sets its default."""
    # An action's own default would undo what was given before the action.
    parser.add_argument("--json", action="store_true", default=SUPPRESS, help="one JSON document")


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
