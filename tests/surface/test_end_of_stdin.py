"""What was asked before stdin ended is answered when it is quick; the slow is not waited for."""

import json
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.hostile.messages import ENVELOPE
from tests.support.client_process import LlamaMCP
from tests.support.processes import PATIENCE_SECONDS
from tests.support.quick import first_quick
from tests.support.raw_client import INITIALIZE

QUICK_TOOLS = ["list_sessions", "get_config", "server_metrics", "status", "server_log"]
QUICK_RESOURCES = ["llama://server/status", "llama://server/metrics.prom", "llama://sessions"]


def requests(era: str) -> list[dict[str, Any]]:
    meta = {"_meta": ENVELOPE} if era == "modern" else {}
    asked: list[tuple[str, dict[str, Any]]] = [
        *(("tools/call", {"name": name, "arguments": {}}) for name in QUICK_TOOLS),
        *(("resources/read", {"uri": uri}) for uri in QUICK_RESOURCES),
        ("tools/list", {}),
    ]
    if era == "legacy":
        asked.insert(0, ("initialize", INITIALIZE))
    return [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params | meta}
        for number, (method, params) in enumerate(asked, start=1)
    ]


def environment(llama_mcp: LlamaMCP) -> dict[str, str]:
    names = ("PATH", "HOME", "USERPROFILE", "SYSTEMROOT")
    return {n: os.environ[n] for n in names if n in os.environ} | llama_mcp.environment


async def frames_after(
    llama_mcp: LlamaMCP, asked: bytes, out: Path | None = None
) -> list[dict[str, Any]]:
    """Pass it all at once, as `cat requests.jsonl | llama-mcp` does; return what comes back."""
    with anyio.fail_after(PATIENCE_SECONDS):
        if out is None:
            done = await anyio.run_process(
                llama_mcp.command, input=asked, env=environment(llama_mcp)
            )
            answered = done.stdout
        else:
            (out / "asked").write_bytes(asked)
            with (out / "asked").open("rb") as stdin, (out / "answered").open("wb") as stdout:
                await anyio.run_process(
                    llama_mcp.command, stdin=stdin, stdout=stdout, env=environment(llama_mcp)
                )
            answered = (out / "answered").read_bytes()
    return [json.loads(line) for line in answered.splitlines()]


async def answers_to(
    llama_mcp: LlamaMCP, asked: bytes, out: Path | None = None
) -> dict[int, dict[str, Any]]:
    """Do so and return the answers by id."""
    frames = await frames_after(llama_mcp, asked, out)
    return {frame["id"]: frame for frame in frames if "id" in frame}


@pytest.mark.parametrize("through", ["pipes", "files"])
@pytest.mark.parametrize("era", first_quick("legacy", "modern"))
async def test_requests_that_came_before_the_end_of_stdin_are_answered(
    llama_mcp: LlamaMCP, tmp_path: Path, era: str, through: str
) -> None:
    asked = requests(era)
    lines = b"\n".join(json.dumps(request).encode() for request in asked)  # the last has no end
    late, answers = asked, dict[int, dict[str, Any]]()
    with anyio.fail_after(2 * PATIENCE_SECONDS):
        # Half a second may be short on a machine that is busy: then the SDK says that it was.
        while len(late) > len(answers) / 2:
            answers = await answers_to(llama_mcp, lines, tmp_path if through == "files" else None)
            assert answers.keys() == {request["id"] for request in asked}
            late = [a for a in answers.values() if a.get("error", {}).get("code") == -32000]
            assert all("result" in answer for answer in answers.values() if answer not in late)


async def test_a_batch_and_a_byte_order_mark_are_taken_from_a_pipe(llama_mcp: LlamaMCP) -> None:
    first, *others = requests("legacy")
    first["params"] = INITIALIZE | {"protocolVersion": "2025-03-26"}
    batch = [{"jsonrpc": "2.0", "method": "notifications/initialized"}, *others]
    asked = b"\xef\xbb\xbf" + json.dumps(first).encode() + b"\r\n" + json.dumps(batch).encode()
    answers = await answers_to(llama_mcp, asked)
    assert answers[1]["result"]["protocolVersion"] == "2025-03-26"
    assert answers.keys() == {1, *(request["id"] for request in others)}
