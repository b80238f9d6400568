"""What is said of a llama-server that has ended, as far as the records prove it."""

import socket
from dataclasses import replace

import psutil
import pytest

from llama_mcp.llama_server.runs import places
from llama_mcp.llama_server.runs.endings import last_exit, start_error
from llama_mcp.llama_server.runs.records import LoadingOutcome
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import RunState, read_run_state
from llama_mcp.llama_server.runs.start_lock import StartLock
from llama_mcp.llama_server.status import ServerState
from tests.llama_server.runs.launches import crash, launch_of, launched, until_state
from tests.support.processes import until

DAEMONISING = "import subprocess; subprocess.Popen(['sleep', '600'])"


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


@pytest.mark.posix
async def test_a_program_that_leaves_others_behind_is_told_to_stay(lock: StartLock) -> None:
    run = await launched(lock, launch_of(DAEMONISING))
    state = await until_state(run, ServerState.CRASHED)
    assert cause_of(state).startswith("the executable ended at once without an error, and what it")
    ended = last_exit(state)
    assert ended is not None and 'exec llama-server "$@"' in ended.advice


async def test_a_program_that_ends_while_another_has_its_port_is_told_who(lock: StartLock) -> None:
    run = await launched(lock, launch_of("pass"))
    state = await until_state(run, ServerState.CRASHED)
    with socket.create_server(("127.0.0.1", run.launch.port)):
        assert f"listens on its port {run.launch.port}" in cause_of(state)
    assert "listens on" not in cause_of(state)


async def test_a_keeper_that_is_gone_without_a_record_is_told_without_a_cause(
    lock: StartLock,
) -> None:
    run = await launched(lock, launch_of())
    keeper_of(run).kill()
    state = await until_state(run, ServerState.CRASHED)
    assert cause_of(state) == (
        "its keeper process is gone and has left no record of the end, and it ended with it"
    )


async def test_a_machine_or_container_that_was_started_again_is_named_as_the_cause(
    lock: StartLock,
) -> None:
    run = await launched(lock, launch_of())
    keeper_of(run).kill()
    state = await until_state(run, ServerState.CRASHED)
    assert "machine was started again" in cause_of(moved(state, boot="an-earlier-one"))
    assert "container" in cause_of(moved(state, namespaces="pid:[1] net:[2]"))


def moved(state: RunState, **place: str) -> RunState:
    """Return the state as if it had been launched at another place."""
    there = places.here().model_copy(update=place)
    launch = state.run.launch.model_copy(update={"place": there})
    return replace(state, run=Run(state.run.folder, launch))


async def test_what_we_gave_up_is_told_as_ours_and_not_as_the_signal_that_ended_it(
    lock: StartLock,
) -> None:
    async with lock.hold() as exclusive:
        run = await exclusive.launch(launch_of())
        await exclusive.end(run)
    outcome = LoadingOutcome(failure="it was too slow", advice="Wait longer.")
    state = replace(await read_run_state(run), outcome=outcome)
    ended = last_exit(state)
    assert ended is not None
    assert (ended.cause, ended.advice) == ("it was too slow", "Wait longer.")
    assert "SIGTERM" not in str(start_error(state))
