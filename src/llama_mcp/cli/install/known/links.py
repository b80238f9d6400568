"""Links that a client opens to add an entry; clients that document none have none here."""

import base64
import json
from collections.abc import Mapping
from urllib.parse import quote

from llama_mcp.cli.install.known.entry import NAME


def with_base64(address: str, entry: Mapping[str, object]) -> str:
    """Return a link as Cursor and LM Studio take it: the name, and the entry in base64."""
    config = base64.b64encode(_json(entry).encode()).decode()
    return f"{address}?name={NAME}&config={quote(config, safe='')}"


def with_json(address: str, entry: Mapping[str, object]) -> str:
    """Return a link as VS Code takes it: the entry with its name, as JSON."""
    return f"{address}?{quote(_json({'name': NAME, **entry}), safe='')}"


def _json(entry: Mapping[str, object]) -> str:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
