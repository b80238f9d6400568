"""From one line of stdin to the messages in it, or to why it cannot be read.

Lenient where nothing can be misunderstood: a UTF-8 byte order mark (PowerShell writes one), a
batch (MCP 2025-03-26 wants it received), and half a surrogate pair (JavaScript cuts an emoji in
two), which becomes U+FFFD.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import mcp_types
import pydantic_core

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
# No client sends so many; each is answered by a line of its own.
MAX_BATCH_MESSAGES = 1000

_BOM = b"\xef\xbb\xbf"
_UTF_16_BOMS = (b"\xff\xfe", b"\xfe\xff")
# What only answers have.
_ANSWERS = frozenset({"result", "error"})
# Every escape of a JSON text, so that the second backslash of two begins none. Group 1 is half a
# pair without its other half.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Refusal:
    """What is answered to something that is no message."""

    why: str
    request_id: str | int | None = None
    code: int = PARSE_ERROR


def messages_in(line: bytes) -> list[Any]:
    """Return the JSON-RPC messages of a line, and a Refusal for each that cannot be read."""
    line = line.removeprefix(_BOM).strip(b" \t\r\n")
    if not line:
        return []
    try:
        return _read(line)
    except ValueError:
        # Only now: it takes a while for a long line with many escapes.
        line = _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], line)
    try:
        return _read(line)
    except ValueError:
        return [Refusal(_why_unreadable(line), _id_of(_json(line)))]


def _read(line: bytes) -> list[Any]:
    items = pydantic_core.from_json(line)
    if not isinstance(items, list):
        return [_validated(items)]
    if not 0 < len(items) <= MAX_BATCH_MESSAGES:
        why = f"a batch has 1 to {MAX_BATCH_MESSAGES} messages, this one has {len(items)}"
        return [Refusal(f"Invalid request: {why}", code=INVALID_REQUEST)]
    return [_message(item) for item in items]


def _message(item: Any) -> Any:
    try:
        return _validated(item)
    except ValueError:
        return Refusal("Invalid request: not a JSON-RPC message", _id_of(item), INVALID_REQUEST)


def _validated(item: Any) -> Any:
    """Return a message; raise ValueError if it is none."""
    if isinstance(item, dict) and "method" in item and _ANSWERS.isdisjoint(item):
        kind = mcp_types.JSONRPCRequest if "id" in item else mcp_types.JSONRPCNotification
        with suppress(ValueError):
            return kind.model_validate(item, by_name=False)
    # All kinds, one after the other: that takes twice as long.
    return mcp_types.jsonrpc_message_adapter.validate_python(item, by_name=False)


def _why_unreadable(line: bytes) -> str:
    if line.startswith(_UTF_16_BOMS) or b"\x00" in line:
        return "Parse error: this looks like UTF-16 (it has NUL bytes or its mark); MCP is UTF-8"
    try:
        line.decode()
    except UnicodeDecodeError as error:
        byte = line[error.start]
        return f"Parse error: byte 0x{byte:02x} at position {error.start} is not UTF-8, as MCP is"
    return "Parse error: not a JSON-RPC message"


def _json(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _id_of(message: Any) -> str | int | None:
    """Return the id of invalid JSON-RPC, so that the error can name it; None when it has none."""
    request_id = message.get("id") if isinstance(message, dict) else None
    is_id = isinstance(request_id, str | int) and not isinstance(request_id, bool)
    return request_id if is_id else None
