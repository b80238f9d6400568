"""The first call is a chat: nothing was started before, and each call may have its own process."""

import sqlite3
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.fake_llama_server.install import install_fake, recorded_launches, set_faults
from tests.support.client_process import Connection, LlamaMCP, Progress
from tests.support.processes import has_llama_server, until
from tests.support.raw_client import raw_client

STARTED = "llama-server was started for this call (tiny)."
LIMITS: dict[str, Any] = {"max_tokens": 5, "wait_seconds": 600}


def runs_of(llama_mcp: LlamaMCP) -> list[Path]:
    return sorted((llama_mcp.home / "runs").glob("2*"))


def archived_messages(llama_mcp: LlamaMCP) -> list[str]:
    path = llama_mcp.home / "sessions.db"
    if not path.exists():
        return []
    archive = sqlite3.connect(path)
    try:
        return [message for (message,) in archive.execute("SELECT message FROM turns")]
    finally:
        archive.close()


@pytest.mark.parametrize("stream", ["chunks", "status"])
async def test_a_chat_is_the_first_call_and_gets_its_reply(
    llama_mcp: LlamaMCP, engine: str, stream: str
) -> None:
    progress = Progress()
    async with llama_mcp.having(LLAMA_CPP_PATH=engine).connect() as connection:
        reply = await connection.call("chat", progress, message="Hello", stream=stream, **LIMITS)
        assert (reply["status"], reply["turn"]) == ("complete", 1) and reply["reply"]
        assert STARTED in reply["notes"]
        if stream == "chunks":
            assert progress.text == reply["reply"]  # nothing but the reply, also while it loads
        else:
            assert progress.messages[0].startswith("Loading tiny")
        assert progress.rises
        # A stop frees the memory; the next chat wants it again, and goes on where it was.
        await connection.call("stop_llama_server")
        session = {"session_id": reply["session_id"]}
        after = await connection.call("chat", message="And?", **session, **LIMITS)
        assert after["turn"] == 2 and STARTED in after["notes"]
        again = await connection.call("chat", message="And?", **session, **LIMITS)
        assert STARTED not in again.get("notes", [])
    assert len(runs_of(llama_mcp)) == 2


async def test_five_processes_of_one_call_each_share_the_llama_server_that_the_first_has_started(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    kept = llama_mcp.having(LLAMA_CPP_PATH=engine, LINGER_SECONDS="600")
    session_id = ""
    for turn in range(1, 6):
        async with kept.connect() as connection:
            reply = await connection.call(
                "chat", message=f"Turn {turn}", session_id=session_id, **LIMITS
            )
        session_id = reply["session_id"]
        assert (reply["status"], reply["turn"]) == ("complete", turn)
        assert (STARTED in reply.get("notes", [])) == (turn == 1)
    assert len(runs_of(kept)) == 1
    await stop(kept)


@pytest.mark.posix
async def test_a_client_that_kills_each_process_after_its_call_finds_the_llama_server_again(
    llama_mcp: LlamaMCP,
) -> None:
    kept = llama_mcp.having(LINGER_SECONDS="600")
    for turn in range(1, 4):
        async with raw_client(kept) as client:
            await client.hello()
            result = await client.call("chat", message=f"Turn {turn}", **LIMITS)
            client.process.kill()
        assert result["structuredContent"]["status"] == "complete"
    assert len(runs_of(kept)) == 1
    await stop(kept)


async def test_two_processes_that_chat_at_once_start_one_llama_server_and_both_get_replies(
    llama_mcp: LlamaMCP,
) -> None:
    replies: list[dict[str, Any]] = []

    async def chat(connection: Connection) -> None:
        replies.append(await connection.call("chat", message="Hello", **LIMITS))

    async with llama_mcp.connect() as one, llama_mcp.connect() as two:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(chat, one)
            tasks.start_soon(chat, two)
        assert [reply["status"] for reply in replies] == ["complete", "complete"]
        assert len({reply["session_id"] for reply in replies}) == 2
        assert len(runs_of(llama_mcp)) == 1


async def test_a_chat_that_waits_for_the_model_comes_back_in_time_and_loses_nothing(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, load_held=True)
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        part = await connection.call("chat", message="Hello", wait_seconds=0)
        assert (part["status"], part["reply"]) == ("in_progress", "")
        assert any("The model is still loading" in note for note in part["notes"])
        assert archived_messages(llama_mcp) == ["Hello"]
        session = {"session_id": part["session_id"]}
        refusal = await connection.refusal("stop_llama_server")
        assert "waits for the model to load in this llama-mcp" in refusal
        assert (await connection.call("status"))["waiting_turns"] == 1
        progress = Progress()
        waiting = await connection.call("wait_for_reply", progress, wait_seconds=1.2, **session)
        assert any("still loading" in note for note in waiting["notes"])
        assert progress.values and progress.rises and not progress.messages

        other = await connection.call("chat", message="Never mind", wait_seconds=0)
        taken_back = await connection.call("cancel_reply", session_id=other["session_id"])
        assert taken_back["status"] == "cancelled"

        set_faults(fake_folder)
        whole = await connection.call("wait_for_reply", progress, **session)
        assert (whole["status"], whole["reply"]) == (
            "complete",
            "The quick brown fox jumps over the lazy dog.",
        )
        assert len(recorded_launches(fake_folder)) == 1


async def test_a_model_that_does_not_load_fails_the_reply_with_what_a_start_would_have_said(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    log = ["E load: unknown model architecture: 'x9'"]
    fake = install_fake(fake_folder, exit_during_load=1, log_lines=log)
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        told = await connection.refusal("chat", message="Hello")
        assert told.startswith("llama-server did not start") and "x9" in told
        assert "is kept" in told and "start_llama_server" in told
        listed = await connection.call("list_sessions")
        page = await connection.call("read_session", session_id=listed["sessions"][0]["session_id"])
        assert page["turns"][0]["message"] == "Hello" and "x9" in page["turns"][0]["error"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LLAMA_CPP_PATH": "/nowhere/llama-server"}, "No llama-server was found"),
        ({"MODEL_PATH": "/nowhere/model.gguf"}, "LLAMA_MCP_MODEL_PATH"),
        ({"PORT": "abc"}, "LLAMA_MCP_PORT cannot be 'abc'"),
        ({"AUTO_START": "maybe"}, "LLAMA_MCP_AUTO_START cannot be 'maybe': it takes true or false"),
        ({"AUTO_START": "False"}, "No llama-server is running. Call start_llama_server first."),
    ],
)
async def test_what_keeps_a_chat_from_starting_anything_is_told_and_nothing_is_archived(
    llama_mcp: LlamaMCP, variables: dict[str, str], expected: str
) -> None:
    async with llama_mcp.having(**variables).connect() as connection:
        assert expected in await connection.refusal("chat", message="Hello")
    assert not archived_messages(llama_mcp) and not runs_of(llama_mcp)


async def stop(llama_mcp: LlamaMCP) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("stop_llama_server")
    await until(lambda: not has_llama_server(llama_mcp.home), "llama-server ends")
