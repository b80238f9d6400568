"""A model that is unloaded when it is idle, as clients see it: it comes back by itself."""

import random
import re
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from llama_mcp.keeper import run_dir
from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import Connection, LlamaMCP
from tests.support.processes import command_lines_of, has_llama_server, until
from tests.support.quick import often

IDLE_SECONDS = 0.3
BACK = "tiny was started again for this call: it had been unloaded after 0.3 s without a turn."
LIMITS: dict[str, Any] = {"max_tokens": 5, "wait_seconds": 600}


@pytest.fixture
def with_idle(llama_mcp: LlamaMCP, engine: str) -> LlamaMCP:
    return llama_mcp.having(LLAMA_CPP_PATH=engine, IDLE_SECONDS=str(IDLE_SECONDS))


@pytest.fixture
async def connection(with_idle: LlamaMCP) -> AsyncIterator[Connection]:
    async with with_idle.connect() as connection:
        yield connection


def runs_of(llama_mcp: LlamaMCP) -> list[Path]:
    return sorted((llama_mcp.home / "runs").glob("2*"))


async def until_idle(connection: Connection) -> dict[str, Any]:
    return await connection.call_until(lambda status: status["state"] == "idle", "status")


async def test_a_session_goes_on_with_a_model_that_was_unloaded_meanwhile(
    connection: Connection, with_idle: LlamaMCP
) -> None:
    await connection.call("start_llama_server", ctx_size=512, parallel=1)
    first = await connection.call("chat", message="Hello", **LIMITS)
    session = {"session_id": first["session_id"]}

    status = await until_idle(connection)
    assert status["message"] == (
        "tiny was unloaded after 0.3 s without a turn; the next call that needs it brings it back."
    )
    assert status["clients"] == 1 and "pid" not in status and "last_exit" not in status
    await until(lambda: not has_llama_server(with_idle.home), "no process is left")
    runs = runs_of(with_idle)

    config = await connection.call("get_config")
    assert (config["running"], config["ctx_size"]) == (False, 512)
    assert any("brings it back with these settings" in note for note in config["notes"])
    assert (await connection.call("server_log"))["lines"]
    figures = await connection.call("server_metrics")
    assert (figures["state"], figures["model"]) == ("idle", "tiny")
    metrics = await connection.read("llama://server/metrics.prom")
    assert re.search(r'^llama_mcp_up({model="tiny"})? 0\.0$', metrics, re.MULTILINE)
    assert '"idle"' in await connection.read("llama://server/slots")
    assert not any(row.get("running") for row in (await connection.call("list_models"))["models"])

    # None of that was a turn.
    assert (await connection.call("status"))["state"] == "idle"
    assert runs_of(with_idle) == runs

    again = await connection.call("chat", message="And?", **session, **LIMITS)
    assert (again["status"], again["turn"]) == ("complete", 2) and again["reply"]
    assert BACK in again["notes"]
    assert again["context"]["limit"] == 512

    await until_idle(connection)
    stopped = await connection.call("stop_llama_server")
    assert stopped["state"] == "stopped"
    after = await connection.call("chat", message="Once more", **session, **LIMITS)
    assert after["context"]["limit"] == 1024  # what the settings say


async def test_the_process_that_chats_keeps_a_model_and_one_that_looks_does_not(
    with_idle: LlamaMCP,
) -> None:
    idle_seconds, longest_pause = 3.0, 0.0
    patient = with_idle.having(IDLE_SECONDS=str(idle_seconds))
    async with patient.connect() as chats, patient.connect() as looks:
        for connection in (chats, looks):
            await connection.call("start_llama_server")
        began = used_at = time.monotonic()
        while time.monotonic() - began < 2 * idle_seconds:
            await chats.call("chat", message="Hello", **LIMITS)
            longest_pause = max(longest_pause, time.monotonic() - used_at)
            used_at = time.monotonic()
            for _ in range(3):
                state = (await looks.call("status"))["state"]
                # On a machine that other work holds up a chat may come too late.
                assert state == "ready" or longest_pause > idle_seconds / 2
                await anyio.sleep(0.1)
        await until_idle(looks)


async def test_a_reply_that_lasts_longer_than_a_model_may_be_idle_is_whole(
    connection: Connection, with_idle: LlamaMCP
) -> None:
    await connection.call("start_llama_server", ctx_size=8192)
    part = await connection.call("chat", message="Hello", max_tokens=6000, wait_seconds=0)
    runs = runs_of(with_idle)
    whole = await connection.rest_of_reply(part)
    assert whole["status"] == "complete"
    assert runs_of(with_idle) == runs


@pytest.mark.posix
async def test_a_reply_that_stands_still_for_long_and_turns_behind_it_are_whole(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, hold_at_token=3)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), IDLE_SECONDS="0.3", PARALLEL="1")
    async with having.connect() as connection, having.connect() as other:
        part = await connection.call("chat", message="Hello", wait_seconds=0)
        behind = await connection.call("chat", message="Behind", wait_seconds=0)
        elsewhere = await other.call("chat", message="Elsewhere", wait_seconds=0)
        for _ in range(20):
            assert (await other.call("status"))["state"] in ("starting", "ready")
            await anyio.sleep(0.1)
        set_faults(fake_folder)
        for whose, reply in ((connection, part), (connection, behind), (other, elsewhere)):
            whole = await whose.rest_of_reply(reply)
            assert whole["reply"] == "The quick brown fox jumps over the lazy dog."
        assert len(runs_of(having)) == 1
        await until_idle(connection)


async def test_a_long_job_is_done_by_one_launch(with_idle: LlamaMCP, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.md").write_text("It was a quiet day. " * 20)
    having = with_idle.having(FILE_DIRS=str(folder), IDLE_SECONDS="2")
    async with having.connect() as connection:
        done = await connection.call(
            "run_on_files",
            instruction="Sum up.",
            files=["*.md"],
            each=True,
            max_tokens=100,
            wait_seconds=600,
        )
        assert done["status"] == "complete" and len(done["results"]) == 12
        assert len(runs_of(having)) == 1


async def test_chats_that_come_as_the_model_is_unloaded_are_all_answered(
    with_idle: LlamaMCP,
) -> None:
    rounds, answered = often(10, in_a_soak=200), 0
    chance = random.Random(7)
    sessions: dict[int, str] = {}

    async def chat(connection: Connection, client: int, turn: int, pause_seconds: float) -> None:
        nonlocal answered
        await anyio.sleep(pause_seconds)
        session_id = sessions.get(client, "")
        reply = await connection.call(
            "chat", message=f"Turn {turn}", session_id=session_id, **LIMITS
        )
        assert (reply["status"], reply["turn"]) == ("complete", turn), reply
        sessions[client] = reply["session_id"]
        answered += 1

    async with with_idle.connect() as one, with_idle.connect() as two:
        for turn in range(1, rounds + 1):
            # The keeper looks twice a second, so the end comes in the midst of that.
            moment = chance.uniform(0.3, 1.1)
            async with anyio.create_task_group() as tasks:
                for client, connection in enumerate((one, two, one, two)):
                    pause_seconds = moment + chance.uniform(0, 0.1)
                    tasks.start_soon(chat, connection, client, turn, pause_seconds)
    assert answered == 4 * rounds
    keeper_logs = [(run / "keeper.log").read_text() for run in runs_of(with_idle)]
    assert any("unloading llama-server" in log for log in keeper_logs)


@pytest.mark.posix
async def test_chats_go_on_while_keepers_are_killed_round_the_moment_of_unloading(
    with_idle: LlamaMCP,
) -> None:
    chance = random.Random(11)
    killed = 0
    async with with_idle.connect() as connection:
        for turn in range(often(6, in_a_soak=60)):
            reply = await connection.call("chat", message=f"Turn {turn}", **LIMITS)
            assert reply["status"] == "complete", reply
            run = runs_of(with_idle)[-1]
            with anyio.move_on_after(2):
                while not (run / run_dir.UNUSED).exists():
                    await anyio.sleep(0.001)
            await anyio.sleep(chance.uniform(0, 0.05))
            state = run_dir.read_whole(str(run / run_dir.STATE)) or {}
            if not state.get("exit"):
                with suppress(psutil.NoSuchProcess):
                    psutil.Process(state["keeper"]["pid"]).kill()
                    killed += 1
            assert (await connection.call("status"))["state"] != "crashed"
    assert killed
    await until(lambda: not command_lines_of(with_idle.home), "nothing is left")
