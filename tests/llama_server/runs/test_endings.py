"""What is said of a llama-server that has ended, as far as the records prove it."""

import psutil

from llama_mcp.llama_server.runs.endings import last_exit
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import RunState, read_run_state
from llama_mcp.llama_server.runs.start_lock import StartLock
from llama_mcp.llama_server.status import ServerState
from tests.llama_server.runs.launches import crash, launch_of, launched, until_state
from tests.support.processes import until


def keeper_of(run: Run) -> psutil.Process:
    state = run.state()
    assert state is not None
    return psutil.Process(state.keeper.pid)


def cause_of(state: RunState) -> str:
    ended = last_exit(state)
    assert ended is not None
    return ended.cause


async def test_a_keeper_that_is_slow_to_record_an_ending_is_not_called_killed(
    lock: StartLock,
) -> None:
    run = await launched(lock, launch_of())
    keeper = keeper_of(run)
    keeper.suspend()
    try:
        assert cause_of(await crash(run)) == "it is gone, and its exit code is not known"
    finally:
        keeper.resume()
    await until(lambda: (state := run.state()) is not None and state.exit is not None, "recorded")
    assert "not known" not in cause_of(await read_run_state(run))


async def test_a_keeper_that_was_killed_is_named_as_the_cause(lock: StartLock) -> None:
    run = await launched(lock, launch_of())
    keeper_of(run).kill()
    state = await until_state(run, ServerState.CRASHED)
    assert cause_of(state) == "its keeper process was killed, and it ended with it"
