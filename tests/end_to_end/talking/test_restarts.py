"""Conversations go on after llama-server was stopped and started, without being read again."""

import json
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.keeper import kv_files
from llama_mcp.surface.results.replies import RECEIPT
from tests.support.client_process import Connection, LlamaMCP
from tests.support.pipes import make_pipe
from tests.support.processes import until, until_all_leave
from tests.support.raw_client import raw_client

# A character is a token of the tiny model.
LONG = "Tell me about all the rivers of the world, one after another, and their lengths. " * 8


async def say(connection: Connection, message: str, **arguments: Any) -> dict[str, Any]:
    """Return a reply, always drawn the same way, with what is beside it."""
    result = await connection.result(
        "chat", message=message, max_tokens=8, temperature=0, **arguments
    )
    assert result.structured_content is not None and result.meta is not None
    return {**result.structured_content, **result.meta[RECEIPT]}


def saved(llama_mcp: LlamaMCP) -> list[Path]:
    return sorted((llama_mcp.home / kv_files.FOLDER).glob(f"*/*{kv_files.DATA}"))


async def test_two_sessions_go_on_from_disk_after_a_stop_and_a_start(
    llama_mcp: LlamaMCP, engine: str, era: str
) -> None:
    home = llama_mcp.having(LLAMA_CPP_PATH=engine, CTX_SIZE="2048", PARALLEL="2")
    async with home.connect(era) as connection:
        first = [await say(connection, name + LONG) for name in ("Anna: ", "Bert: ")]
        await connection.call("stop_llama_server")
        assert len(saved(home)) == 2
        assert all(path.stat().st_mode & 0o077 == 0 for path in (*saved(home), home.home / "kv"))
        await connection.call("start_llama_server")
        second = [
            await say(connection, "And the lakes?", session_id=each["session_id"]) for each in first
        ]
        session_id = first[0]["session_id"]
        read = await connection.call("read_session", session_id=session_id)
        data = json.loads(await connection.read(f"llama://sessions/{session_id}.json"))
        await connection.call("delete_session", session_id=session_id)
        assert [path.stem for path in saved(home)] == [first[1]["session_id"]]
    for before, after in zip(first, second, strict=True):
        receipt = after["receipt"]
        assert receipt["restore"] == "from disk" and "cache_miss" not in receipt
        # The last token of a reply is never read by its model.
        assert receipt["restored_tokens"] == before["context"]["tokens_used"] - 1
        assert after["usage"]["cached_tokens"] == receipt["restored_tokens"]
        assert receipt["restore_ms"] > 0
    for turns in (read["turns"], data["turns"]):
        assert turns[1]["receipt"]["restore"] == "from disk"
        assert "restore" not in turns[0]["receipt"]


async def test_a_client_for_each_call_finds_its_session_again(llama_mcp: LlamaMCP) -> None:
    async with llama_mcp.connect() as connection:
        session_id = (await say(connection, LONG))["session_id"]
    await until_all_leave(llama_mcp.home, "llama-server, which nobody uses, is gone")
    async with llama_mcp.connect() as connection:
        again = await say(connection, "Go on.", session_id=session_id)
    assert again["receipt"]["restore"] == "from disk"


@pytest.mark.posix
async def test_a_llama_mcp_that_is_killed_in_mid_save_leaves_nothing_that_is_restored(
    llama_mcp: LlamaMCP,
) -> None:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        chat = {"message": LONG, "max_tokens": 8, "wait_seconds": 60}
        reply = (await client.call("chat", **chat))["structuredContent"]
        (run,) = [path for path in (llama_mcp.home / "runs").iterdir() if path.is_dir()]
        (folder,) = (llama_mcp.home / kv_files.FOLDER).iterdir()
        pipes = [folder / kv_files.incoming_name(run.name, slot) for slot in range(4)]
        for pipe in pipes:
            make_pipe(pipe)
        await client.ask("tools/call", name="stop_llama_server", arguments={})
        log = run / "keeper.log"
        await until(lambda: "asked to stop" in log.read_text(), "the keeper saves")
        client.process.kill()
        await until_all_leave(llama_mcp.home, "the keeper has ended llama-server by itself")
        assert "it takes too long" in log.read_text()
    # The pipe into which it was to be written is gone; those of other slots were never opened.
    assert not [path for path in saved(llama_mcp) if path.is_file()]
    assert len(saved(llama_mcp)) == len(pipes) - 1
    async with llama_mcp.connect() as connection:
        again = await say(connection, "Go on.", session_id=reply["session_id"])
    assert "restore" not in again["receipt"]
    assert again["receipt"]["cache_miss"].startswith("server restarted")
