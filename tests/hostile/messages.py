"""JSON-RPC as nobody should send it: ten thousand lines, the same ones in every run.

Frames are right, or wrong in a member or two; then the bytes of half of them are mangled.
`readable_id` says which lines are owed an answer.
"""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from llama_mcp.sessions.texts import clean_text
from tests.hostile.json_values import any_json
from tests.support.wire import MODERN, VERSION_IN_META

LINES = 10_000
SEED = 7
BOM = b"\xef\xbb\xbf"

ENVELOPE = {
    VERSION_IN_META: MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "hostile", "version": "1"},
}
METHODS = [
    "tools/call",
    "tools/call",
    "tools/list",
    "resources/read",
    "resources/list",
    "resources/templates/list",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
    "prompts/list",
    "prompts/get",
    "ping",
    "initialize",
    "server/discover",
    "subscriptions/listen",
    "logging/setLevel",
    "sampling/createMessage",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "rpc.discover",
    "",
    "tools/call\u0000",
]
# None of these starts anything: the test's settings name an engine that is not there.
TOOLS = [
    "start_llama_server",
    "stop_llama_server",
    "status",
    "get_config",
    "chat",
    "wait_for_reply",
    "cancel_reply",
    "list_sessions",
    "read_session",
    "delete_session",
    "",
    "Status",
    "../status",
    "__init__",
]
ARGUMENTS = ["message", "session_id", "wait_seconds", "limit", "before", "force", "x"]
# What a method takes, and values that are right for it.
PARAMS: dict[str, dict[str, list[Any]]] = {
    "tools/call": {"name": TOOLS, "arguments": [{}]},
    "resources/read": {"uri": ["llama://sessions", "llama://server/status", "file:///etc/passwd"]},
    "resources/subscribe": {"uri": ["llama://sessions"]},
    "resources/unsubscribe": {"uri": ["llama://sessions"]},
    "completion/complete": {
        "ref": [{"type": "ref/resource", "uri": "llama://sessions/{session_id}"}],
        "argument": [{"name": "session_id", "value": "a"}],
    },
    "prompts/get": {
        "name": ["ask", "go_on", "summarize_files", "why_slow", "x"],
        "arguments": [{"question": "x"}, {"session_id": "x", "message": "y"}, {"files": "x"}, {}],
    },
    "initialize": {
        "protocolVersion": ["2024-11-05", "2025-06-18", "2025-11-25", "1999-01-01"],
        "capabilities": [{}],
        "clientInfo": [{"name": "x", "version": "1"}],
    },
    "notifications/cancelled": {"requestId": ["nobody's", None, 1.5, [], {}]},
    "notifications/progress": {"progressToken": ["x", 1], "progress": [1, "x", None]},
}
Json = dict[str, Any]


def hostile_lines(era: str) -> Iterator[bytes]:
    """Give LINES lines for an era (`legacy`, `modern`), the same ones in every run."""
    numbers = random.Random(SEED)
    for number in range(1, LINES + 1):
        frame = _frame(number, numbers)
        if era == "modern" and isinstance(frame.get("params"), dict) and numbers.random() < 0.8:
            frame["params"] = {**frame["params"], "_meta": ENVELOPE}
        line = json.dumps(frame, ensure_ascii=numbers.random() < 0.5).encode("utf-8", "replace")
        yield numbers.choice(MANGLERS)(line, numbers)


def _frame(number: int, numbers: random.Random) -> Json:
    """Return a frame that is nearly right, or wrong in a member or two."""
    method = numbers.choice(METHODS)
    params = {
        name: numbers.choice(right) if numbers.random() < 0.8 else any_json(numbers)
        for name, right in PARAMS.get(method, {"cursor": ["x"]}).items()
        if numbers.random() < 0.9
    }
    if method == "tools/call" and numbers.random() < 0.5:
        names = numbers.sample(ARGUMENTS, numbers.randint(1, 3))
        params["arguments"] = {name: any_json(numbers) for name in names}
    frame = {"jsonrpc": "2.0", "id": numbers.choice(IDS)(number), "method": method}
    frame["params"] = params
    if method.startswith("notifications/") and numbers.random() < 0.5:
        del frame["id"]
    if numbers.random() < 0.25:
        wrong = numbers.choice([*MEMBERS, "result", "error", "extra"])
        frame[wrong] = any_json(numbers)
    if numbers.random() < 0.1:
        frame.pop(numbers.choice(MEMBERS), None)
    return frame


MEMBERS = ["jsonrpc", "id", "method", "params"]
IDS: list[Callable[[int], object]] = [
    *[int] * 9,
    lambda number: -number,
    lambda number: 10**20 + number,
    lambda number: f"s{number}",
    lambda number: f"{number}" + "é" * 300,
    lambda _: None,
    lambda number: number + 0.5,
    lambda _: True,
    lambda number: [number],
]
Mangler = Callable[[bytes, random.Random], bytes]


def _as_it_is(line: bytes, _: random.Random) -> bytes:
    return line


def _truncated(line: bytes, numbers: random.Random) -> bytes:
    return line[: numbers.randrange(len(line))]


def _with_flipped_bytes(line: bytes, numbers: random.Random) -> bytes:
    flipped = bytearray(line)
    for _ in range(numbers.randint(1, 4)):
        flipped[numbers.randrange(len(flipped))] = numbers.randrange(256)
    return bytes(flipped)


def _with_something_inside(line: bytes, numbers: random.Random) -> bytes:
    piece = numbers.choice(
        [b"\xff", b"\xc3", b"\x00", b"\r", b"\\ud800", b'"', b"}", b",", b"[", b"\n"]
    )
    at = numbers.randrange(len(line))
    return line[:at] + piece + line[at:]


def _with_something_around(line: bytes, numbers: random.Random) -> bytes:
    before, after = numbers.choice(
        [
            (b" \t", b" \r"),
            (BOM, b""),
            (b"[", b"]"),
            (b'"', b'"'),
            (b"", b"{}"),
            (b"", b"]"),
        ]
    )
    return before + line + after


def _twice(line: bytes, _: random.Random) -> bytes:
    return line + line


def _nested(line: bytes, numbers: random.Random) -> bytes:
    depth = numbers.choice([20, 150, 300, 900, 5000])
    opening, closing = numbers.choice([(b"[", b"]"), (b'{"a":', b"}")])
    inside = b'"nested":' + opening * depth + b"1" + closing * depth
    return line[:-1] + b"," + inside + b"}"


def _with_two_of_a_member(line: bytes, numbers: random.Random) -> bytes:
    member = numbers.choice([b'"id":null', b'"method":"ping"', b'"params":[]', b'"jsonrpc":"1.0"'])
    return line[:-1] + b"," + member + b"}"


def _oversized(line: bytes, numbers: random.Random) -> bytes:
    if numbers.random() < 0.9:
        return line
    return line[:-1] + b',"large":"' + b"x" * numbers.randrange(10_000, 300_000) + b'"}'


def _with_a_huge_number(line: bytes, numbers: random.Random) -> bytes:
    number = numbers.choice([b"1" * 400, b"9" * 5000, b"1e999", b"-1e-999", b"NaN", b"-Infinity"])
    return line[:-1] + b',"number":' + number + b"}"


MANGLERS: list[Mangler] = [
    *[_as_it_is] * 8,
    _truncated,
    _with_flipped_bytes,
    _with_something_inside,
    _with_something_around,
    _twice,
    _nested,
    _with_two_of_a_member,
    _oversized,
    _with_a_huge_number,
]


def readable_id(line: bytes) -> str | int | None:
    """Return the id of a line that is owed an answer; None for a line that is not.

    Owed is one to every JSON object with an id that MCP allows, unless it is itself an answer, or
    listens, which is answered when it ends.
    """
    try:
        frame = json.loads(line.removeprefix(BOM).decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(frame, dict) or frame.keys() & {"result", "error"}:
        return None
    request_id = frame.get("id")
    is_id = isinstance(request_id, str | int) and not isinstance(request_id, bool)
    if not is_id or frame.get("method") == "subscriptions/listen":
        return None
    # Half a surrogate pair is answered as U+FFFD.
    return clean_text(request_id) if isinstance(request_id, str) else request_id
