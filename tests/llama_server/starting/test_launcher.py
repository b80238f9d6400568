"""Launches after a crash, after a failed replacement and without a caller."""

from pathlib import Path

import anyio
import pytest

from llama_mcp.llama_server.errors import AlreadyRunningError, CrashedError, CrashLoopError
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.leases import Lease
from llama_mcp.llama_server.runs.records import Launch
from llama_mcp.llama_server.runs.run import Run, current_run
from llama_mcp.llama_server.runs.run_state import read_run_state
from llama_mcp.llama_server.runs.start_lock import Exclusive, StartLock
from llama_mcp.llama_server.starting.launcher import (
    MAX_RESTARTS,
    RESTART_WINDOW_SECONDS,
    Launcher,
    next_restart,
    refusal_to_join,
)
from tests.llama_server.runs.launches import (
    KILLED,
    crash,
    launch_of,
    launched,
    lives,
    pid_of,
    run_names,
)

NOW = 1_000_000.0


async def no_room_needed(_exclusive: Exclusive) -> None:
    return


@pytest.fixture
def launcher(lock: StartLock, attachment: Attachment) -> Launcher:
    return Launcher(lock, attachment, auto_restart=True)


def test_a_fourth_crash_within_the_window_is_a_loop_and_the_first_failure_is_kept() -> None:
    launch: Launch | None = launch_of()
    for number in range(MAX_RESTARTS):
        assert launch is not None
        launch = next_restart(launch, f"failure {number}", NOW + number)
        assert launch is not None and launch.first_failure == "failure 0"
    assert launch is not None and next_restart(launch, "one more", NOW + 10) is None


def test_crashes_before_the_window_are_forgotten() -> None:
    launch = launch_of(restarts=[NOW] * MAX_RESTARTS, first_failure="long ago")
    again = next_restart(launch, "today", NOW + RESTART_WINDOW_SECONDS)
    assert again is not None and again.first_failure == "today" and len(again.restarts) == 1


def test_crashes_in_the_future_were_before_the_clock_was_set_back_and_do_not_count() -> None:
    launch = launch_of(restarts=[NOW + 86_400] * MAX_RESTARTS, first_failure="long ago")
    again = next_restart(launch, "today", NOW)
    assert again is not None and again.first_failure == "today" and again.restarts == [NOW]


async def test_what_crashed_is_launched_again_as_it_was(
    lock: StartLock, launcher: Launcher
) -> None:
    run = await launched(lock, launch_of())
    state = await launcher.restart(await crash(run), no_room_needed)
    assert state is not None and isinstance(state.run, Run) and state.is_live
    assert state.run.folder != run.folder and state.run.launch.argv == run.launch.argv
    assert KILLED in (state.run.launch.first_failure or "")


async def test_of_two_who_see_a_crash_one_starts_it_again_and_both_get_the_same_run(
    lock: StartLock, launcher: Launcher, runs_dir: Path
) -> None:
    run = await launched(lock, launch_of())
    crashed = await crash(run)
    found = []

    async def restart() -> None:
        state = await launcher.restart(crashed, no_room_needed)
        assert state is not None
        found.append(state.run.name)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(restart)
        tasks.start_soon(restart)
    assert len(set(found)) == 1 and run_names(runs_dir) == {run.name, found[0]}


async def test_a_crash_is_an_error_when_restarts_are_off(
    lock: StartLock, attachment: Attachment
) -> None:
    crashed = await crash(await launched(lock, launch_of()))
    with pytest.raises(CrashedError, match=KILLED):
        await Launcher(lock, attachment, auto_restart=False).restart(crashed, no_room_needed)


async def test_a_crash_loop_names_its_first_failure(lock: StartLock, launcher: Launcher) -> None:
    launch = launch_of()
    restarts = [launch.at] * MAX_RESTARTS
    update = {"restarts": restarts, "first_failure": "the GPU is gone"}
    crashed = await crash(await launched(lock, launch.model_copy(update=update)))
    with pytest.raises(CrashLoopError, match="the GPU is gone"):
        await launcher.restart(crashed, no_room_needed)


async def test_what_was_replaced_is_restored_unless_another_run_has_taken_its_place(
    lock: StartLock, launcher: Launcher, runs_dir: Path
) -> None:
    failed = await launched(lock, launch_of("raise SystemExit(1)"))
    replaced = launch_of()
    await launcher.restore(failed, replaced)
    restored = current_run(runs_dir)
    assert isinstance(restored, Run) and restored.launch.argv == replaced.argv
    await launcher.restore(failed, replaced)
    assert current_run(runs_dir) == restored


async def test_what_was_replaced_is_restored_beside_another_model_that_was_launched_meanwhile(
    lock: StartLock, attachment: Attachment
) -> None:
    launcher = Launcher(lock, attachment, auto_restart=True, several_may_run=True)
    failed = await launched(lock, launch_of("raise SystemExit(1)"))
    other = await launched(lock, launch_of(alias="other"))
    await launcher.restore(failed, launch_of())
    restored = await attachment.state_of("small")
    assert restored is not None and restored.run.folder != failed.folder and restored.is_live
    await launcher.restore(failed, launch_of())
    again = await attachment.state_of("small")
    assert again is not None and again.run.folder == restored.run.folder
    for run in (other, restored.run):
        await launcher.abandon(run)


async def test_an_abandoned_start_ends_unless_another_process_uses_it(
    lock: StartLock, launcher: Launcher
) -> None:
    run = await launched(lock, launch_of())
    lease = Lease(run)
    await launcher.abandon(run)
    assert lives(pid_of(run))
    lease.release()
    await launcher.abandon(run)
    assert not lives(pid_of(run))


async def test_a_start_that_asks_for_the_same_joins_and_one_that_does_not_is_told_the_difference(
    lock: StartLock,
) -> None:
    state = await read_run_state(await launched(lock, launch_of()))
    config = state.run.launch.config
    assert refusal_to_join(state, config.model_copy(update={"port": 0})) is None
    refusal = refusal_to_join(state, config.model_copy(update={"port": 0, "ctx_size": 17}))
    assert isinstance(refusal, AlreadyRunningError) and "ctx_size" in str(refusal)


async def test_a_start_by_the_operators_name_joins_only_what_runs_under_that_name(
    lock: StartLock,
) -> None:
    state = await read_run_state(await launched(lock, launch_of()))
    launch = state.run.launch
    config = launch.config.model_copy(update={"port": 0})
    assert refusal_to_join(state, config, named=launch.alias) is None
    refusal = refusal_to_join(state, config, named="coder")
    assert f"its name ({launch.alias!r}, asked for 'coder')" in str(refusal)
