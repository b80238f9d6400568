"""Clients that give each request a short time, and replies that take longer than that."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import LlamaMCP, Progress
from tests.support.processes import until

# Less than any client's limit. The reply is held for longer than that, and let go by the test.
WAIT_SECONDS = 0.2
WAITS = 4
REPLY: dict[str, Any] = {
    "reply_tokens": [f"{number} " for number in range(80)],
    "token_delay_seconds": 0.01,
}
WHOLE = "".join(REPLY["reply_tokens"])


@pytest.fixture
def held(llama_mcp: LlamaMCP, fake_folder: Path) -> LlamaMCP:
    """Its replies stop in the middle until the test lets them go on."""
    fake = install_fake(fake_folder, hold_at_token=60, **REPLY)
    return llama_mcp.having(LLAMA_CPP_PATH=str(fake))


async def test_a_reply_that_outlasts_the_clients_limit_arrives_without_a_token_lost(
    held: LlamaMCP, fake_folder: Path, era: str
) -> None:
    async with held.connect(era) as connection:
        await connection.call("start_llama_server")
        calls = [Progress()]
        part = await connection.call("chat", calls[0], message="Go on", wait_seconds=WAIT_SECONDS)
        session = {"session_id": part["session_id"]}
        told = part["reply"]
        while part["status"] == "in_progress":
            if len(calls) == WAITS:
                set_faults(fake_folder, **REPLY)
            calls.append(Progress())
            part = await connection.call(
                "wait_for_reply", calls[-1], wait_seconds=WAIT_SECONDS, **session
            )
            told += part["reply"]
        assert len(calls) > WAITS
        assert part["status"] == "complete"
        assert "".join(call.text for call in calls) == told == WHOLE
        assert all(call.rises for call in calls)
        # A call goes on where the one before it ended, in tokens too.
        values = [value for call in calls for value in call.values]
        assert values == sorted(values)


async def test_a_wait_that_its_caller_gives_up_stops_nothing_and_loses_nothing(
    held: LlamaMCP, fake_folder: Path, era: str
) -> None:
    async with held.connect(era) as connection:
        await connection.call("start_llama_server")
        first, given_up, last = Progress(), Progress(), Progress()
        part = await connection.call("chat", first, message="Go on", wait_seconds=0.2)
        session = {"session_id": part["session_id"]}
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                await connection.result("wait_for_reply", given_up, **session)

            tasks.start_soon(wait)
            await until(lambda: len(given_up.text) > 20, "the wait is told of new text")
            tasks.cancel_scope.cancel()
        set_faults(fake_folder, **REPLY)
        whole = await connection.call("wait_for_reply", last, **session)
        assert whole["status"] == "complete"
        # What a call told that was never answered is told again.
        assert first.text + last.text == part["reply"] + whole["reply"] == WHOLE
        assert last.text.startswith(given_up.text)


async def test_a_reply_that_nobody_waits_for_is_finished_and_archived(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server")
        part = await connection.call("chat", message="Go on", max_tokens=300, wait_seconds=0)
        assert part["status"] == "in_progress"
        page = await connection.call_until(
            lambda page: page["turns"][-1]["status"] != "in_progress",
            "read_session",
            session_id=part["session_id"],
        )
        turn = page["turns"][-1]
        assert turn["status"] == "complete"
        assert turn["usage"]["completion_tokens"] == len(turn["reply"]) == 300


async def test_an_archive_that_another_program_holds_is_told_in_time_and_holds_up_nobody_else(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server")
        session = {"session_id": (await connection.call("chat", message="Hi"))["session_id"]}
        refused: list[str] = []

        async def chat() -> None:
            refused.append(await connection.refusal("chat", message="A", wait_seconds=2, **session))

        with closing(sqlite3.connect(llama_mcp.home / "sessions.db", isolation_level=None)) as held:
            held.execute("BEGIN EXCLUSIVE")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(chat)
                assert (await connection.call("list_sessions"))["total"] == 1
                assert (await connection.call("read_session", **session))["total"] == 1
        assert "locked by another program" in refused[0] and "was not sent" in refused[0]
        assert (await connection.call("chat", message="B", **session))["turn"] == 2
