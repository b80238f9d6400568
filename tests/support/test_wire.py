"""The check of every frame is itself checked: it knows the specification and notices faults."""

import hashlib
import importlib
import re
from typing import Any

import pytest

from llama_mcp.toolsets import PAGE_TOOLS
from tests.support.client_process import LlamaMCP
from tests.support.raw_client import raw_client
from tests.support.wire import SPECIFICATION, Wire, output_validators

RESULT = {"content": [{"type": "text", "text": "x"}]}
STATUS = {"state": "stopped", "message": "No llama-server is running."}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("tools/call", {"result": {"content": "text"}}, "is not of type 'array'"),
    ("tools/call", {"result": RESULT}, "None is not of type 'object'"),
    ("tools/call", {"result": RESULT | {"structuredContent": {"state": 1}}}, "1 is not of"),
    ("tools/call", {"result": {"content": [], "isError": True}}, "has no text"),
    ("tools/list", {"result": {"tools": [{"name": "x"}]}}, "'inputSchema' is a required property"),
    ("ping", {"error": {"code": "x", "message": "y"}}, "is not of type 'integer'"),
    ("ping", {"id": 1.5, "result": {}}, "is not of type 'string', 'integer'"),
    ("ping", {"method": "notifications/progress", "params": {"progress": 1}}, "progressToken"),
    ("ping", {"method": "notifications/invented"}, "is unknown"),
]


@pytest.mark.parametrize(("method", "frame", "expected"), WRONG)
def test_a_frame_that_is_wrong_is_noticed(
    method: str, frame: dict[str, Any], expected: str
) -> None:
    wire = Wire()
    wire.sent({"id": 1, "method": method, "params": {"name": "start_llama_server"}})
    wire.received({"jsonrpc": "2.0", "id": 1} | frame)
    with pytest.raises(AssertionError, match=expected):
        wire.check()


def test_a_frame_that_is_right_passes() -> None:
    wire = Wire()
    wire.sent({"id": "a", "method": "tools/call", "params": {"name": "status"}})
    wire.received({"jsonrpc": "2.0", "id": "a", "result": RESULT | {"structuredContent": STATUS}})
    wire.received({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "x"}})
    wire.check()
    assert wire.frames == 2


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
def test_the_schemas_are_the_specifications_own(version: str) -> None:
    made_from = importlib.import_module(f"mcp_types._v{version.replace('-', '_')}")
    named = re.search(r"sha256 `([0-9a-f]{64})`", made_from.__doc__ or "")
    assert named
    content = (SPECIFICATION / f"{version}.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == named[1]


async def test_the_catalogue_on_the_wire_is_the_one_that_results_are_checked_against(
    llama_mcp: LlamaMCP,
) -> None:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        tools = (await client.answer(await client.ask("tools/list")))["result"]["tools"]
        assert client.wire.frames == 2
    schemas = {tool["name"]: tool["outputSchema"] for tool in tools}
    assert schemas == {
        name: check.schema
        for name, check in output_validators().items()
        if name not in PAGE_TOOLS  # this client shows no page
    }
