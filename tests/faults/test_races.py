"""Starts and stops from three processes at the same instant: all are answered."""

import random

import anyio
import pytest

from tests.support.client_process import Connection, LlamaMCP, text_of
from tests.support.processes import PATIENCE_SECONDS, command_lines_of

ROUNDS = 5
# About as long as a start takes; the stop comes somewhere within it.
START_SECONDS = 0.4


@pytest.mark.slow
async def test_two_starts_and_a_stop_at_once_are_all_answered_and_leave_a_working_home(
    llama_mcp: LlamaMCP,
) -> None:
    chance = random.Random(4)
    async with llama_mcp.connect() as one, llama_mcp.connect() as two, llama_mcp.connect() as three:
        for _ in range(ROUNDS):
            with anyio.fail_after(2 * PATIENCE_SECONDS):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(start_or_be_stopped, one)
                    tasks.start_soon(start_or_be_stopped, two)
                    tasks.start_soon(stop_after, three, chance.uniform(0, START_SECONDS))
            states = [(await each.call("status"))["state"] for each in (one, two, three)]
            assert len(set(states)) == 1 and states[0] in ("ready", "stopped")
        assert (await one.call("start_llama_server"))["state"] == "ready"
        assert (await two.call("start_llama_server"))["already_running"]
        assert keepers(llama_mcp) == 1
        assert (await three.call("chat", message="Hello", max_tokens=2))["status"] == "complete"


async def start_or_be_stopped(connection: Connection) -> None:
    result = await connection.result("start_llama_server")
    if result.is_error:
        assert "was stopped while it was loading" in text_of(result)


async def stop_after(connection: Connection, seconds: float) -> None:
    await anyio.sleep(seconds)  # the random moment
    assert (await connection.call("stop_llama_server", force=True))["state"] != "crashed"


def keepers(llama_mcp: LlamaMCP) -> int:
    # A guard has the command line of its keeper.
    lines = map(" ".join, command_lines_of(llama_mcp.home))
    return len({line for line in lines if "llama_mcp.keeper" in line})
