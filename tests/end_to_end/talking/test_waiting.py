"""Replies that outlast a call: waited for, stopped, taken back."""

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import Connection, LlamaMCP, Progress
from tests.support.processes import until
from tests.support.raw_client import raw_client


@pytest.fixture(scope="module")
async def connection(shared_llama_mcp: LlamaMCP) -> AsyncIterator[Connection]:
    """A llama-server that is ready, and whose replies last for seconds unless they are limited."""
    async with shared_llama_mcp.having(CTX_SIZE="32768").connect() as connection:
        await connection.call("start_llama_server")
        yield connection


TOKENS = [f"{number} " for number in range(200)]


async def test_a_reply_that_outlasts_the_wait_goes_on_and_loses_no_token(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    reply = {"reply_tokens": TOKENS, "token_delay_seconds": 0.01}
    fake = install_fake(fake_folder, hold_at_token=100, **reply)
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        await connection.call("start_llama_server")
        pieces = [Progress()]
        part = await connection.call("chat", pieces[0], message="Go on", wait_seconds=0.3)
        assert part["status"] == "in_progress"
        assert part["reply"].startswith(pieces[0].text)
        session_id = part["session_id"]
        refusal = await connection.refusal("chat", message="More", session_id=session_id)
        assert "wait_for_reply" in refusal and "cancel_reply" in refusal
        set_faults(fake_folder, **reply)
        told = part["reply"]
        while part["status"] == "in_progress":
            pieces.append(Progress())
            arguments = {"session_id": session_id, "wait_seconds": 0.3}
            part = await connection.call("wait_for_reply", pieces[-1], **arguments)
            told += part["reply"]
        assert part["status"] == "complete"
        assert part["usage"]["completion_tokens"] == len(TOKENS)
        assert "".join(piece.text for piece in pieces) == told == "".join(TOKENS)
        assert all(piece.rises for piece in pieces)


async def test_a_call_that_does_not_say_waits_as_long_as_the_operator_has_set(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, load_seconds=1, hang_at_token=2)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), WAIT_SECONDS="0")
    async with having.connect() as connection:
        assert (await connection.call("start_llama_server"))["state"] == "starting"
        again = await connection.call("start_llama_server", wait_seconds=600)
        assert again["state"] == "ready"
        part = await connection.call("chat", message="Hello")
        assert part["status"] == "in_progress"
        session = {"session_id": part["session_id"]}
        # A model may pass null for what it leaves out.
        for given in ({}, {"wait_seconds": None}):
            waited = await connection.call("wait_for_reply", **session, **given)
            assert waited["status"] == "in_progress"
        await connection.call("cancel_reply", **session)


async def test_a_cancelled_reply_frees_its_slot_and_keeps_what_had_come(
    connection: Connection,
) -> None:
    part = await connection.call("chat", message="Go on", wait_seconds=0.3)
    stopped = await connection.call("cancel_reply", session_id=part["session_id"])
    assert stopped["status"] == "cancelled"
    await until_idle(connection)
    session = {"session_id": part["session_id"]}
    page = await connection.call("read_session", **session)
    assert page["turns"][0]["reply"] == part["reply"] + stopped["reply"]
    again = await connection.call("cancel_reply", **session)
    assert (again["status"], again["reply"]) == ("cancelled", "")
    assert any("stopped nothing" in note for note in again["notes"])
    after = await connection.call("chat", message="And?", max_tokens=3, **session)
    assert after["turn"] == 2


async def test_a_clients_own_cancel_stops_generation_and_keeps_the_partial_reply(
    llama_mcp: LlamaMCP, era: str
) -> None:
    async with llama_mcp.having(CTX_SIZE="32768").connect(era) as connection:
        await connection.call("start_llama_server")
        streaming = Progress()
        async with anyio.create_task_group() as tasks:

            async def chat() -> None:
                await connection.result("chat", streaming, message="Go on")

            tasks.start_soon(chat)
            await until(lambda: len(streaming.text) > 20, "the reply begins")
            tasks.cancel_scope.cancel()
        await until_idle(connection)


async def test_a_session_without_a_turn_or_that_is_unknown_has_nothing_to_wait_for(
    connection: Connection,
) -> None:
    for tool in ("wait_for_reply", "cancel_reply"):
        assert "There is no session" in await connection.refusal(tool, session_id="zzzz-zzzz-zzzz")


async def test_the_same_seed_gives_the_same_reply(connection: Connection) -> None:
    ask: dict[str, Any] = {"message": "Hello", "max_tokens": 30, "seed": 7, "temperature": 0}
    replies = [(await connection.call("chat", **ask))["reply"] for _ in range(2)]
    assert replies[0] == replies[1]


async def test_a_schema_is_kept_to_and_the_data_is_parsed(llama_mcp: LlamaMCP) -> None:
    # The tiny model's vocabulary is too poor for llama.cpp's grammars.
    schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"]}
    async with llama_mcp.having(MODEL_PATH="").connect() as connection:
        await connection.call("start_llama_server")
        reply = await connection.call(
            "chat", message="1 or 2?", json_schema=schema, temperature=0, wait_seconds=600
        )
        assert reply["parsed"]["n"] in (1, 2)


async def until_idle(connection: Connection) -> None:
    await connection.call_until(lambda status: status["slots"]["busy"] == 0, "status")


@pytest.mark.slow
async def test_32_sessions_on_4_slots_are_all_served_and_none_is_mixed_up(
    llama_mcp: LlamaMCP,
) -> None:
    replies: dict[int, dict[str, Any]] = {}
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server")

        async def chat(number: int, progress: Progress) -> None:
            replies[number] = await connection.call(
                "chat",
                progress,
                message=f"marker-{number}-",
                max_tokens=200,
                stream="status",
                wait_seconds=600,
            )

        progresses = [Progress() for _ in range(32)]
        async with anyio.create_task_group() as tasks:
            for number, progress in enumerate(progresses):
                tasks.start_soon(chat, number, progress)
        assert len({reply["session_id"] for reply in replies.values()}) == 32
        for number, reply in replies.items():
            assert reply["usage"]["completion_tokens"] == 200
            transcript = await connection.read(f"llama://sessions/{reply['session_id']}")
            assert transcript.count("marker-") == 2  # the title and the message
            assert f"marker-{number}-" in transcript
    assert all(progress.rises for progress in progresses)
    assert any("at place" in line for progress in progresses for line in progress.messages)


async def test_a_client_that_stops_reading_delays_no_reply_and_gets_all_of_it(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    # More than a pipe holds, in tokens that come one by one.
    tokens = ["x" * 500 + " "] * 400
    fake = install_fake(fake_folder, reply_tokens=tokens, token_delay_seconds=0.005)
    async with raw_client(llama_mcp.having(LLAMA_CPP_PATH=str(fake))) as client:
        await client.hello()
        await client.call("start_llama_server")
        ask = {"message": "Go on"}
        request = await client.ask(
            "tools/call", name="chat", arguments=ask, _meta={"progressToken": "p"}
        )
        # Nothing is read from here on; the reply is finished and archived all the same.
        archive = llama_mcp.home / "sessions.db"
        await until(lambda: status_of_last_turn(archive) == "complete", "the reply is archived")
        pieces = []
        while True:
            message = await client.next()
            if message.get("id") == request:
                break
            pieces.append(message.get("params", {}).get("message") or "")
        reply = message["result"]["structuredContent"]
        assert "".join(pieces) == reply["reply"] == "".join(tokens)
        assert reply["usage"]["completion_tokens"] == len(tokens)


def status_of_last_turn(path: Path) -> str | None:
    if not path.exists():
        return None
    archive = sqlite3.connect(path)
    try:
        row = archive.execute("SELECT status FROM turns").fetchone()
    except sqlite3.OperationalError:
        return None
    finally:
        archive.close()
    return str(row[0]) if row else None


OBJECT = {"type": "object"}


async def test_parsed_is_exactly_what_the_model_said_also_when_it_is_waited_for(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    data: dict[str, Any] = {"name": None, "tags": [], "n": 1, "o": {}}
    fake = install_fake(fake_folder, reply=json.dumps(data), hold_at_token=1)
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        await connection.call("start_llama_server")
        part = await connection.call("chat", message="x", json_schema=OBJECT, wait_seconds=0)
        assert part["status"] == "in_progress"
        set_faults(fake_folder, reply=json.dumps(data))
        # A part of the data is of no use, so that nothing is told twice.
        assert part["reply"] == ""
        whole = await connection.call("wait_for_reply", session_id=part["session_id"])
        assert whole["parsed"] == data and "reply" not in whole
        assert whole["context"]["limit"] == 1024
        again = await connection.call("wait_for_reply", session_id=part["session_id"])
        assert (again["status"], again["reply"]) == ("complete", "") and "parsed" not in again


async def test_a_reply_that_no_parser_can_read_is_given_with_a_note(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, reply="[" * 3000)
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        await connection.call("start_llama_server")
        reply = await connection.call("chat", message="x", json_schema=OBJECT)
        assert len(reply["reply"]) == 3000
        assert any("nested too deeply" in note for note in reply["notes"])
        assert (await connection.call("status"))["state"] == "ready"


async def test_a_reply_of_another_process_is_waited_for(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, hold_at_token=2)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake))
    async with having.connect() as one, having.connect() as other:
        await one.call("start_llama_server")
        part = await one.call("chat", message="x", wait_seconds=0)
        session = {"session_id": part["session_id"]}
        waited: list[dict[str, Any]] = []
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                waited.append(await other.call("wait_for_reply", **session))

            tasks.start_soon(wait)
            await one.reply_until("The quick", part["session_id"])
            set_faults(fake_folder)
        (whole,) = waited
        assert (whole["status"], whole["reply"][:9]) == ("complete", "The quick")
