"""Whatever a client asks, it is answered as the real server answers it, to the byte."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.early.exchange import GREETING, INITIALIZED, answers, modern, request
from tests.support.client_process import LlamaMCP
from tests.support.quick import first_quick
from tests.support.raw_client import ENVELOPE, INITIALIZE

pytestmark = pytest.mark.posix

LISTS = ("tools/list", "prompts/list", "resources/templates/list", "resources/list")
CAPABLE = {
    "roots": {"listChanged": True},
    "sampling": {},
    "elicitation": {"form": {}, "url": {}},
    "extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}},
}
CLIENT = {"name": "claude-code", "title": "Claude Code", "version": "2.1", "description": "x"}
STATUS = {"name": "status", "arguments": {}}
CANCELLED = {
    "jsonrpc": "2.0",
    "method": "notifications/cancelled",
    "params": {"requestId": "hello", "reason": "x"},
}


def legacy(version: str, capabilities: dict[str, Any]) -> list[Any]:
    params = {"protocolVersion": version, "capabilities": capabilities, "clientInfo": CLIENT}
    lists = [request(method, {}, number) for number, method in enumerate(LISTS)]
    token = {"_meta": {"progressToken": "t"}}
    asked = [request("initialize", params, 0), INITIALIZED, *lists, request("ping")]
    return [*asked, request("tools/list", token), request("tools/call", STATUS, 9), *lists]


def of_2026(capabilities: dict[str, Any]) -> list[Any]:
    meta = ENVELOPE | {"io.modelcontextprotocol/clientCapabilities": capabilities}
    methods = ["server/discover", *LISTS]
    lists = [request(method, {"_meta": meta}, number) for number, method in enumerate(methods)]
    return [*lists, request("tools/call", {**STATUS, "_meta": meta}, 9), *lists]


def listened_to(**changes: bool) -> list[Any]:
    listen = modern("subscriptions/listen", {"notifications": changes}, "ears")
    lists = [modern(method, None, number) for number, method in enumerate(LISTS)]
    return [modern("server/discover"), listen, *lists, modern("tools/call", STATUS, 9), *lists]


CONVERSATIONS: dict[str, list[Any]] = {
    "initialize": legacy("2025-06-18", {}),
    "2026-07-28": of_2026({}),
    "2024-11-05": legacy("2024-11-05", CAPABLE),
    "2025-03-26": legacy("2025-03-26", {"roots": {}}),
    "2025-11-25": legacy("2025-11-25", CAPABLE),
    "2026-07-28, a client that can do much": of_2026(CAPABLE),
    "a listener": listened_to(resourcesListChanged=True, toolsListChanged=True),
    "a listener to little": listened_to(promptsListChanged=True, toolsListChanged=False),
    "ping first": [request("ping", {}, "p"), GREETING, INITIALIZED, request("tools/list")],
    "lists before the handshake": [request("tools/list"), GREETING, request("tools/list")],
    "one id for everything": [
        *(request("ping", {}, 1), request("initialize", INITIALIZE, 1), INITIALIZED),
        *(request("tools/list", {}, 1), request("tools/call", STATUS, 1), request("ping", {}, 1)),
    ],
    "ids of every kind": [
        request("initialize", INITIALIZE, 'a"\\é\u2028'),
        *(request("ping", {}, number) for number in (0, -1, 2**53, "", "0", "\x7f\x00")),
        *(request("tools/call", STATUS, each) for each in ('a"\\é\u2028', 2**60)),
    ],
    "initialize after discovery": [modern("server/discover"), GREETING, modern("tools/list")],
    "the envelope after initialize": [GREETING, modern("tools/list"), request("tools/list")],
    "no envelope after discovery": [modern("server/discover"), request("tools/list")],
    "initialize twice": [GREETING, INITIALIZED, GREETING, request("tools/list")],
    "an unknown version": [request("initialize", INITIALIZE | {"protocolVersion": "1"})],
    "an unknown version in the envelope": [
        request("tools/list", {"_meta": ENVELOPE | {list(ENVELOPE)[0]: "2031-01-01"}}),
    ],
    "a cancelled handshake": [GREETING, INITIALIZED, CANCELLED, request("tools/call", STATUS)],
    "cursors and odd params": [
        *(GREETING, request("tools/list", {"cursor": "x"}), request("resources/list", {"a": 1})),
    ],
    "a call before anything": [request("tools/call", STATUS), GREETING],
    "capabilities that are none": [
        request("initialize", INITIALIZE | {"capabilities": {"sampling": 3}}),
        GREETING,
    ],
    "no JSON, a batch of one, then the handshake": [
        b"{",
        b"\xff",
        b"[" + json.dumps(request("ping")).encode() + b"]",
        GREETING,
    ],
    "what nobody serves": [GREETING, request("logging/setLevel", {"level": "info"}), INITIALIZED],
}


@pytest.mark.parametrize("name", first_quick(*CONVERSATIONS))
def test_the_answers_are_those_of_the_real_server(
    llama_mcp: LlamaMCP, tmp_path: Path, name: str
) -> None:
    asked = CONVERSATIONS[name]
    assert answers(llama_mcp, asked) == answers(llama_mcp, asked, tmp_path / "said")
