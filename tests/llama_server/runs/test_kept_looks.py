"""A look that was kept hides nothing: whatever happens to a run, the next look tells it."""

import json
import os
import sys
from collections.abc import Awaitable, Callable

import anyio
import psutil
import pytest

from llama_mcp.keeper import run_dir
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.leaving import leaving
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.status import ServerState
from llama_mcp.settings import Settings
from tests.llama_server.conftest import Process, process_of, start
from tests.support.processes import PATIENCE_SECONDS


async def look(process: Process) -> RunState:
    state = (await process.supervisor.attachment.states())[0]
    assert isinstance(state, RunState)
    return state


async def kept(process: Process) -> RunState:
    """Look until a look is kept; where none ever is, the next look is as good."""
    state = await look(process)
    with anyio.fail_after(PATIENCE_SECONDS):
        while (again := await look(process)) is not state and sys.platform == "linux":
            state = again
            await anyio.sleep(0.01)
    return state


async def stopped_elsewhere(_run: Run, other: Process) -> None:
    await other.supervisor.stop(force=True)


async def killed(run: Run, _other: Process) -> None:
    state = run.state()
    assert state is not None and state.llama_server is not None
    psutil.Process(state.llama_server.pid).kill()


async def without_its_keeper(run: Run, _other: Process) -> None:
    state = run.state()
    assert state is not None
    psutil.Process(state.keeper.pid).kill()


async def found_silent(run: Run, _other: Process) -> None:
    run.mark_unresponsive(True)


async def asked_to_stop(run: Run, _other: Process) -> None:
    (run.folder / run_dir.STOP).touch()


async def announced_as_idle(run: Run, _other: Process) -> None:
    run_dir.write_whole(str(run.folder / run_dir.UNUSED), {run_dir.REASON: run_dir.IDLE})


async def rewritten_where_it_is(run: Run, _other: Process) -> None:
    path = run.folder / run_dir.OUTCOME
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"ready_after_seconds": None}))


GONE = (ServerState.STOPPED, ServerState.CRASHED, ServerState.STOPPING)


@pytest.mark.parametrize(
    ("happen", "expected"),
    [
        (stopped_elsewhere, (ServerState.STOPPED,)),
        (killed, (ServerState.CRASHED,)),
        (without_its_keeper, GONE),
        (found_silent, (ServerState.UNRESPONSIVE,)),
        (asked_to_stop, GONE),
        (announced_as_idle, (*GONE, ServerState.IDLE)),
        (rewritten_where_it_is, (ServerState.STARTING,)),
    ],
)
async def test_whatever_happens_to_a_run_the_next_look_tells(
    first: Process,
    second: Process,
    happen: Callable[[Run, Process], Awaitable[None]],
    expected: tuple[ServerState, ...],
) -> None:
    await start(first.supervisor)
    state = await kept(first)
    assert state.state is ServerState.READY
    await happen(state.run, second)
    if happen in (killed, without_its_keeper):
        with anyio.fail_after(PATIENCE_SECONDS):  # the kernel ends it in its own time
            while (await look(first)).state is ServerState.READY:
                await anyio.sleep(0.01)
    assert (await look(first)).state in expected


async def test_a_mark_that_is_taken_back_is_seen_too(first: Process) -> None:
    await start(first.supervisor)
    run = (await kept(first)).run
    for is_unresponsive in (True, False, True, False):
        run.mark_unresponsive(is_unresponsive)
        state = (await look(first)).state
        assert state is (ServerState.UNRESPONSIVE if is_unresponsive else ServerState.READY)


async def test_a_run_that_is_launched_elsewhere_is_seen_at_once(
    with_library: Settings,
) -> None:
    settings = with_library.model_copy(update={"max_models": 2})
    async with process_of(settings) as one, process_of(settings) as other:
        await start(one.supervisor, model_path="one")
        before = await kept(one)
        assert before.run.launch.alias == "one"
        await start(other.supervisor, model_path="two")
        states = await one.supervisor.attachment.states()
        assert [each.run.launch.alias for each in states if isinstance(each, RunState)] == [
            "two",
            "one",
        ]


@pytest.mark.posix  # elsewhere nobody can delete an open file
async def test_a_lease_that_somebody_has_deleted_is_taken_again(first: Process) -> None:
    await start(first.supervisor)
    run = (await kept(first)).run
    for lease in run.leases_dir.iterdir():
        lease.unlink()
    await look(first)
    assert len([*run.leases_dir.iterdir()]) == 1


async def test_a_turn_waits_for_who_is_about_to_stop_the_run_although_the_look_was_kept(
    first: Process,
) -> None:
    await start(first.supervisor)
    run = (await kept(first)).run
    has_got = anyio.Event()

    async def get() -> None:
        await first.supervisor.ready_server()
        has_got.set()

    async with anyio.create_task_group() as tasks:
        async with leaving(run):
            tasks.start_soon(get)
            await anyio.wait_all_tasks_blocked()
            assert not has_got.is_set()
        with anyio.fail_after(PATIENCE_SECONDS):
            await has_got.wait()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is kept")
async def test_nothing_is_watched_any_more_once_all_is_released(
    first: Process, settings: Settings
) -> None:
    await start(first.supervisor)
    before = open_descriptors()
    attachment = Attachment(settings.runs_dir)
    state = (await attachment.states())[0]
    with anyio.fail_after(PATIENCE_SECONDS):
        while (again := (await attachment.states())[0]) is not state:
            state = again
            await anyio.sleep(0.01)
    assert open_descriptors() > before
    await attachment.release_all()
    assert open_descriptors() == before
