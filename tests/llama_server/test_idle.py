"""A model that was unloaded because it was idle: what is told of it, and how it comes back."""

import shutil
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import psutil
import pytest

from llama_mcp.keeper import run_dir
from llama_mcp.llama_server.model_errors import CannotRankError
from llama_mcp.llama_server.ready_run import ReadyRun
from llama_mcp.llama_server.ready_server import ModelUnloadedError, WantedServer
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.records import KeeperState
from llama_mcp.llama_server.runs.run import Run, current_run
from llama_mcp.llama_server.runs.run_state import read_run_state
from llama_mcp.llama_server.runs.start_lock import StartLock
from llama_mcp.llama_server.status import ServerState
from llama_mcp.settings import Settings
from tests.fake_llama_server.install import recorded_launches, set_faults
from tests.llama_server.choosing.test_turn_servers import ignore
from tests.llama_server.conftest import Process, process_of, start
from tests.llama_server.runs.launches import launch_of, launched, pid_of
from tests.support.processes import PATIENCE_SECONDS, is_gone, until

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows

IDLE_SECONDS = 0.3
UNLOADED = "tiny was unloaded after 0.3 s without a turn"
BACK = "tiny was started again for this call: it had been unloaded after 0.3 s without a turn."


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"idle_seconds": IDLE_SECONDS})


@pytest.fixture
async def idle(first: Process, settings: Settings) -> Run:
    """The run of a model that `first` has started with settings of its own, and that is idle."""
    await start(first.supervisor, ctx_size=256, parallel=2)
    await until_idle(first)
    return the_run(settings)


async def serve(process: Process) -> ReadyRun:
    """Return the llama-server of a turn, once it answers; used meanwhile, as by a turn."""

    async def use(server: ReadyRun) -> None:
        while True:
            server.note_use()
            await anyio.sleep(IDLE_SECONDS / 10)

    server = await process.supervisor.ready_server()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(use, server)
        ready = await server.when_ready(ignore)
        tasks.cancel_scope.cancel()
    return ready


def the_run(settings: Settings) -> Run:
    run = current_run(settings.runs_dir)
    assert isinstance(run, Run)
    return run


async def until_idle(process: Process) -> None:
    """Wait until the model is unloaded; looking at it all the time keeps it from nothing."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while (status := await process.supervisor.status()).state is not ServerState.IDLE:
            assert status.state in (ServerState.READY, ServerState.STOPPING)
            await anyio.sleep(0.01)


async def test_a_model_that_is_idle_has_no_process_and_its_status_says_why(
    first: Process, idle: Run
) -> None:
    assert is_gone(pid_of(idle))
    status = await first.supervisor.status()
    assert status.message == f"{UNLOADED}; the next call that needs it brings it back."
    assert (status.model, status.clients) == ("tiny", 1)
    assert (status.pid, status.url, status.last_exit, status.memory_bytes) == (None,) * 4
    keeper = idle.state()
    assert keeper is not None and keeper.exit is not None
    assert keeper.exit.was_asked_to and keeper.exit.reason == "idle"
    await until(lambda: not keeper.keeper.is_alive(), "the keeper leaves")


async def test_the_config_is_that_with_which_it_comes_back(first: Process, idle: Run) -> None:
    config = await first.supervisor.config()
    assert (config.running, config.ctx_size, config.parallel) == (False, 256, 2)
    assert config.port == idle.launch.port
    assert config.notes[0].startswith(f"{UNLOADED}: the next call that needs it brings it back")


@pytest.mark.parametrize("permission", ["auto_start", "auto_restart"])
async def test_a_turn_brings_it_back_as_it_was_whatever_else_is_forbidden(
    settings: Settings, fake_folder: Path, permission: str
) -> None:
    async with process_of(settings.model_copy(update={permission: False})) as process:
        await start(process.supervisor, ctx_size=256, parallel=2)
        await until_idle(process)
        before = the_run(settings)
        server = await serve(process)
        assert (server.slot_ctx_size, server.total_slots) == (256, 2)
        assert list(server.notes) == [BACK]
        after = the_run(settings).launch
        assert (after.argv, after.port) == (before.launch.argv, before.launch.port)
        assert (after.restarts, after.idle_seconds) == ([], IDLE_SECONDS)
    assert len(recorded_launches(fake_folder)) == 2


async def test_it_goes_idle_and_comes_back_as_often_as_one_likes(
    first: Process, idle: Run, fake_folder: Path
) -> None:
    for times in range(2, 8):  # more often than a crash is forgiven
        assert list((await serve(first)).notes) == [BACK]
        await until_idle(first)
        assert len(recorded_launches(fake_folder)) == times


async def test_of_turns_of_two_processes_one_brings_it_back_for_both(
    first: Process, second: Process, idle: Run, fake_folder: Path
) -> None:
    notes: list[str] = []

    async def take(process: Process) -> None:
        server = await serve(process)
        assert server.slot_ctx_size == 256
        notes.extend(server.notes)

    async with anyio.create_task_group() as tasks:
        for process in (first, second, first, second):
            tasks.start_soon(take, process)
    assert set(notes) == {BACK}  # whoever waited for it is told
    assert len(recorded_launches(fake_folder)) == 2


async def test_where_its_port_is_taken_meanwhile_it_listens_on_another_and_says_so(
    first: Process, idle: Run, settings: Settings
) -> None:
    with socket.create_server(("127.0.0.1", idle.launch.port)):
        server = await serve(first)
        port = the_run(settings).launch.port
        assert port != idle.launch.port
        moved = f" It listens on port {port} now, since {idle.launch.port} was taken."
        assert list(server.notes) == [BACK + moved]
        assert (await first.supervisor.status()).port == port


async def test_one_that_is_stopped_is_forgotten(
    first: Process, idle: Run, fake_folder: Path
) -> None:
    status = await first.supervisor.stop(force=False)
    assert status.state is ServerState.STOPPED
    server = await serve(first)
    assert server.slot_ctx_size == 4096  # what the settings say
    assert list(server.notes) == ["llama-server was started for this call (tiny)."]


async def test_a_start_asks_for_no_replacement_of_one_that_is_idle(
    first: Process, second: Process, idle: Run
) -> None:
    for asked in (256, 512):
        status = await start(second.supervisor, ctx_size=asked, parallel=2)
        assert (status.state, status.already_running) == (ServerState.READY, False)
        assert (await serve(first)).slot_ctx_size == asked
        await until_idle(first)


async def test_a_turn_that_names_another_model_gets_that_one(
    first: Process, idle: Run, tmp_path: Path, tiny_model: Path
) -> None:
    other = tmp_path / "other.gguf"
    shutil.copy(tiny_model, other)
    server = await first.supervisor.ready_server(WantedServer(model=str(other)))
    assert server.model == "other"
    await first.supervisor.stop(force=True)


async def test_a_ranking_brings_no_model_back_that_only_chats(
    first: Process, idle: Run, fake_folder: Path, settings: Settings
) -> None:
    with pytest.raises(CannotRankError):
        await first.supervisor.rank_server(model=settings.model_path)
    assert len(recorded_launches(fake_folder)) == 1


async def test_once_its_last_client_is_gone_the_settings_count_again(settings: Settings) -> None:
    async with process_of(settings) as process:
        await start(process.supervisor, ctx_size=256)
        await until_idle(process)
    async with process_of(settings) as process:
        assert (await process.supervisor.status()).state is ServerState.STOPPED
        assert (await serve(process)).slot_ctx_size == 4096


@pytest.mark.parametrize("linger_seconds", [600.0, -1.0])
async def test_it_is_there_for_the_next_client_as_long_as_it_would_linger(
    settings: Settings, linger_seconds: float
) -> None:
    lingers = settings.model_copy(update={"linger_seconds": linger_seconds})
    async with process_of(lingers) as process:
        await start(process.supervisor, ctx_size=256)
        await until_idle(process)
    async with process_of(lingers) as process:
        assert (await process.supervisor.status()).state is ServerState.IDLE
        assert (await serve(process)).slot_ctx_size == 256
        await process.supervisor.stop(force=True)


async def test_the_turns_of_one_process_keep_it_and_the_lease_of_another_does_not(
    first: Process, second: Process, settings: Settings
) -> None:
    await start(first.supervisor)
    await start(second.supervisor)
    server = await serve(first)
    longest_pause, used_at = 0.0, time.monotonic()
    for _ in range(200):  # many times as long as it may be idle
        longest_pause = max(longest_pause, time.monotonic() - used_at)
        used_at = time.monotonic()
        server.note_use()
        await anyio.sleep(0.02)
        state = (await second.supervisor.status()).state
        # On a machine that other work holds up the use may come too late.
        assert state is ServerState.READY or longest_pause > IDLE_SECONDS / 2
    await until_idle(second)


async def test_a_model_is_not_unloaded_under_a_turn_that_waits_for_it_to_load(
    first: Process, fake_folder: Path, settings: Settings
) -> None:
    set_faults(fake_folder, load_held=True)
    waiting = await first.supervisor.ready_server()
    run = the_run(settings)
    with anyio.move_on_after(5 * IDLE_SECONDS):
        while True:
            assert (await first.supervisor.status()).state is ServerState.STARTING
            await anyio.sleep(0.01)
    set_faults(fake_folder)
    assert (await waiting.when_ready(lambda _load: None)).serving_id == run.name


async def test_a_reply_that_is_lost_as_its_model_is_unloaded_is_told_so(
    first: Process, idle: Run, settings: Settings
) -> None:
    server = await serve(first)
    await until_idle(first)
    with pytest.raises(Exception, match="connection") as lost:
        async with server.stream_chat({"messages": []}):
            pass
    told = await server.explain_loss(lost.value)  # type: ignore[arg-type]  # one of ours
    assert isinstance(told, ModelUnloadedError) and told.can_go_on
    await first.supervisor.stop(force=True)
    again = await server.explain_loss(lost.value)  # type: ignore[arg-type]  # one of ours
    assert "was stopped while it replied" in str(again)


async def test_one_whose_keeper_is_killed_as_it_unloads_comes_back_and_has_not_crashed(
    first: Process, settings: Settings, fake_folder: Path
) -> None:
    set_faults(fake_folder, ignore_sigterm=True)
    await start(first.supervisor, ctx_size=256)
    run = the_run(settings)
    await until(run.is_unloaded, "the end is announced")
    state = run.state()
    assert state is not None and state.exit is None
    psutil.Process(state.keeper.pid).kill()
    set_faults(fake_folder)
    server = await serve(first)
    assert (server.slot_ctx_size, list(server.notes)) == (256, [BACK])


# What is announced, and taken back or not, without a keeper that does it.


@pytest.fixture
async def kept(lock: StartLock) -> AsyncIterator[Run]:
    """A run that nobody unloads, with a lease on it."""
    yield await launched(lock, launch_of())


def announce(run: Run) -> None:
    run_dir.write_whole(str(run.folder / run_dir.UNUSED), {"reason": "idle"})


async def test_an_end_that_is_taken_back_is_waited_out_by_whoever_comes(
    kept: Run, attachment: Attachment
) -> None:
    announce(kept)
    assert (await read_run_state(kept)).is_unloading
    found: list[bool] = []

    async def come() -> None:
        found.append(await attachment.join(kept))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(come)
        await until((kept.folder / run_dir.USED).exists, "the newcomer has noted its use")
        assert not found
        (kept.folder / run_dir.UNUSED).unlink()
    assert found == [True]


async def test_one_that_is_unused_is_no_idle_one(kept: Run) -> None:
    (kept.folder / run_dir.UNUSED).touch()
    state = await read_run_state(kept)
    assert state.state is ServerState.STOPPING and not state.is_unloading


def test_an_ending_of_an_older_keeper_has_no_reason(tmp_path: Path) -> None:
    record = {
        "keeper": {"pid": 1, "start": "1"},
        "exit": {"exit_code": 0, "signal": None, "was_asked_to": True, "at": 1.0},
    }
    state = KeeperState.model_validate(record)
    assert state.exit is not None and state.exit.reason is None
