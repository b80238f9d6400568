"""Several models at once: each with a llama-server of its own, and room made by the rules."""

import os
import re
import shutil
from pathlib import Path

import anyio
import psutil
import pytest

from llama_mcp.keeper import clock
from llama_mcp.llama_server.errors import AlreadyRunningError, InUseError
from llama_mcp.llama_server.model_errors import (
    AmbiguousModelError,
    NoRoomError,
    UnknownModelError,
)
from llama_mcp.llama_server.ready_run import ReadyRun
from llama_mcp.llama_server.ready_server import ModelLoad, Patience, TellWait, WantedServer
from llama_mcp.llama_server.runs import ports
from llama_mcp.llama_server.runs.of_models import latest_runs
from llama_mcp.llama_server.runs.run import Run, current_run
from llama_mcp.llama_server.status import ServerState
from llama_mcp.llama_server.use import Use
from llama_mcp.settings import Settings
from tests.fake_llama_server.install import recorded_launches, set_faults
from tests.llama_server.conftest import Process, process_of, start
from tests.support.gguf_shapes import write_llama_8b
from tests.support.nvml import Gpu, use_gpus
from tests.support.processes import PATIENCE_SECONDS, is_gone, until

GIB = 2**30

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows


def ignore(_load: ModelLoad) -> None:
    return


@pytest.fixture
def several(with_library: Settings) -> Settings:
    return with_library.model_copy(update={"max_models": 2, "swap_after_seconds": 0.0})


async def serve(
    process: Process,
    model: str | None = None,
    wait_seconds: float = 0,
    tell: TellWait | None = None,
) -> ReadyRun:
    server = await process.supervisor.ready_server(
        WantedServer(model, patience=Patience(wait_seconds, tell))
    )
    server.note_use()  # as a turn does that is in the archive now
    return await server.when_ready(ignore)


async def running(process: Process) -> dict[str, ServerState]:
    """Return the state of each model that lives."""
    states = await process.supervisor.attachment.readable_states()
    return {state.run.launch.alias: state.state for state in states if state.is_live}


async def test_each_model_has_a_llama_server_of_its_own_and_status_tells_all(
    several: Settings,
) -> None:
    async with process_of(several) as process:
        first = await serve(process, "one")
        second = await serve(process, "two")
        assert first.address != second.address and first.serving_id != second.serving_id
        assert await serve(process, "one") and await serve(process, "TWO")
        status = await process.supervisor.status()
        assert status.model == "two" and status.models is not None
        assert [(row.name, row.state, row.clients) for row in status.models] == [
            ("two", "ready", 1),
            ("one", "ready", 1),
        ]
        assert all(row.memory_bytes and row.port for row in status.models)
        of_one = await process.supervisor.status("one")
        assert (of_one.model, of_one.models) == ("one", None)
        assert (await process.supervisor.config("one")).model_path == str(
            first.run.launch.config.model_path
        )


async def test_a_start_of_another_model_starts_beside_and_of_the_same_name_needs_replace(
    several: Settings, fake_folder: Path
) -> None:
    async with process_of(several) as process:
        await start(process.supervisor, model_path="one")
        beside = await start(process.supervisor, model_path="two", replace=True)
        assert beside.models is not None and len(beside.models) == 2
        with pytest.raises(AlreadyRunningError, match="ctx_size"):
            await start(process.supervisor, model_path="one", ctx_size=256)
        again = await start(process.supervisor, model_path="one")
        assert again.already_running is True and len(recorded_launches(fake_folder)) == 2
        replaced = await start(process.supervisor, model_path="one", ctx_size=256, replace=True)
        assert replaced.pid != again.pid and len(await running(process)) == 2


async def test_the_first_model_gets_the_port_of_the_settings_and_the_others_any(
    several: Settings,
) -> None:
    port = ports.find_free()
    async with process_of(several.model_copy(update={"port": port})) as process:
        first = await start(process.supervisor, model_path="one")
        second = await start(process.supervisor, model_path="two")
        assert first.port == port and second.port not in (None, port)
        assert (await start(process.supervisor, model_path="two")).already_running is True


async def test_the_model_that_was_used_longest_ago_makes_room_and_that_is_told(
    several: Settings,
) -> None:
    async with process_of(several) as process:
        one = await serve(process, "one")
        two = await serve(process, "two")
        for server, ago in ((one, 500), (two, 900)):
            server.note_use()
            os.utime(server.run.folder / "used", (clock.seconds() - ago, 0))
        three = await serve(process, "three")
        assert list(three.notes) == [
            "two was stopped to make room, unused for 15 min.",
            "llama-server was started for this call (three).",
        ]
        assert set(await running(process)) == {"one", "three"}


async def test_what_must_stay_is_named_with_the_reason_and_nothing_is_stopped(
    several: Settings,
) -> None:
    settings = several.model_copy(update={"swap_after_seconds": 60.0})
    async with process_of(settings) as process, process_of(settings) as other:
        await serve(process, "one")
        await serve(other, "two")
        with pytest.raises(NoRoomError) as refused:
            await serve(process, "three")
        told = str(refused.value)
        assert "no room for the model three: at most 2 models run at once" in told
        assert re.search(r"one \(.*\) was used \d+ s ago, and makes room 60 s after its use", told)
        assert "two (" in told and ") is used by another llama-mcp process" in told
        assert re.search(r"Call again in \d+ s, name one that runs, or stop one of them", told)
        with pytest.raises(NoRoomError):
            await start(process.supervisor, model_path="three")
        assert set(await running(process)) == {"one", "two"}


async def test_a_model_with_a_reply_under_way_is_waited_for_and_then_makes_room(
    several: Settings,
) -> None:
    settings = several.model_copy(update={"max_models": 1})
    async with process_of(settings) as process:
        server = await serve(process, "one")
        process.turns = [Use(session="2222 (Hi)", pid=os.getpid(), run=server.serving_id)]
        with pytest.raises(NoRoomError, match=r"session 2222 \(Hi\) generates.* again later"):
            await serve(process, "two")
        served: list[ReadyRun] = []
        heard: list[str] = []

        async def hear(wait: ModelLoad) -> None:
            heard.append(wait.line)

        async def wait() -> None:
            served.append(await serve(process, "two", PATIENCE_SECONDS, hear))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await until(lambda: bool(heard), "it hears why it waits")
            assert "Waiting for room: one model runs at a time" in heard[0]
            assert set(await running(process)) == {"one"}
            process.turns = []
        assert [each.model for each in served] == ["two"]
        assert set(await running(process)) == {"two"}


async def test_twenty_turns_that_alternate_between_two_models_swap_them_each_time_and_say_so(
    several: Settings, fake_folder: Path
) -> None:
    settings = several.model_copy(update={"max_models": 1})
    async with process_of(settings) as process:
        for number in range(20):
            server = await serve(process, ("one", "two")[number % 2])
            assert len(server.notes) == (2 if number else 1)
            assert len(await running(process)) == 1
    assert len(recorded_launches(fake_folder)) == 20


async def test_two_processes_with_a_model_each_keep_theirs(several: Settings) -> None:
    async with process_of(several) as process, process_of(several) as other:
        mine, theirs = await serve(process, "one"), await serve(other, "two")
        for _ in range(3):
            assert (await serve(process, "one")).serving_id == mine.serving_id
            assert (await serve(other, "two")).serving_id == theirs.serving_id
        # What one of them has chosen is not what the other gets.
        assert (await process.supervisor.status("one")).clients == 1
        with pytest.raises(InUseError):
            await process.supervisor.stop(force=False, model="two")


async def test_a_session_stays_with_its_model_and_a_turn_without_one_takes_the_last_started(
    several: Settings,
) -> None:
    async with process_of(several) as process:
        await serve(process, "one")
        await serve(process, "two")
        usual = await process.supervisor.ready_server(WantedServer(usual_model="one"))
        assert usual.model == "one"
        assert (await process.supervisor.ready_server()).model == "two"
        await process.supervisor.stop(force=False, model="one")
        back = await process.supervisor.ready_server(WantedServer(usual_model="one"))
        assert back.model == "one" and set(await running(process)) == {"one", "two"}
        # One that is no more leaves the choice to what runs.
        gone = await process.supervisor.ready_server(WantedServer(usual_model="deleted"))
        assert gone.model in ("one", "two")


async def test_where_one_model_runs_at_a_time_a_session_takes_what_runs(
    with_library: Settings,
) -> None:
    async with process_of(with_library) as process:
        await serve(process, "one")
        assert (
            await process.supervisor.ready_server(WantedServer(usual_model="two"))
        ).model == "one"
        await process.supervisor.stop(force=True)
        assert (
            await process.supervisor.ready_server(WantedServer(usual_model="two"))
        ).model == "two"


async def test_a_model_that_crashed_comes_back_and_leaves_the_other_alone(
    several: Settings,
) -> None:
    async with process_of(several) as process:
        one, two = await serve(process, "one"), await serve(process, "two")
        pid = (await process.supervisor.status("one")).pid
        assert pid is not None
        psutil.Process(pid).kill()
        with anyio.fail_after(PATIENCE_SECONDS):
            while (await process.supervisor.status("one")).state is not ServerState.CRASHED:
                await anyio.sleep(0.01)
        again = await serve(process, "one")
        assert again.serving_id != one.serving_id and "after a crash" in again.notes[0]
        assert (await serve(process, "two")).serving_id == two.serving_id


async def test_a_crashed_model_comes_back_only_where_there_is_room_for_it(
    several: Settings,
) -> None:
    settings = several.model_copy(update={"max_models": 1})
    async with process_of(settings) as process:
        await serve(process, "one")
        status = await process.supervisor.status()
        assert status.pid is not None
        psutil.Process(status.pid).kill()
        await until(lambda: is_gone(status.pid or 0), "it ends")
        await start(process.supervisor, model_path="two")
        process.turns = [Use(session="2222 (Hi)", pid=os.getpid())]
        with pytest.raises(NoRoomError):
            await serve(process, "one")
        process.turns = []
        assert "two was stopped" in (await serve(process, "one")).notes[0]
        assert set(await running(process)) == {"one"}


async def test_a_killed_keeper_takes_its_own_model_with_it_and_no_other(
    several: Settings,
) -> None:
    async with process_of(several) as process:
        one = await serve(process, "one")
        await serve(process, "two")
        state = one.run.state()
        assert state is not None and state.llama_server is not None
        pid = state.llama_server.pid
        psutil.Process(state.keeper.pid).kill()
        await until(lambda: is_gone(pid), "its llama-server ends with it")
        assert set(await running(process)) == {"two"}
        assert (await serve(process, "one")).serving_id != one.serving_id


async def test_a_stop_ends_the_one_that_is_named_the_last_started_or_all(
    several: Settings,
) -> None:
    async with process_of(several) as process:
        for name in ("one", "two"):
            await serve(process, name)
        after = await process.supervisor.stop(force=False)
        assert set(await running(process)) == {"one"}
        # Told is what was stopped, and what still runs.
        assert (after.model, after.state) == ("two", ServerState.STOPPED)
        assert [row.name for row in after.models or []] == ["one"]
        await serve(process, "two")
        stopped = await process.supervisor.stop(force=False, model="one")
        assert stopped.model == "one" and stopped.state is ServerState.STOPPED
        await serve(process, "one")
        assert (await process.supervisor.stop(force=False, model="all")).state == "stopped"
        assert not await running(process)


async def test_a_name_that_none_or_several_have_is_told_with_those_that_there_are(
    several: Settings,
) -> None:
    async with process_of(several.model_copy(update={"max_models": 3})) as process:
        for name in ("two", "three"):
            await serve(process, name)
        with pytest.raises(UnknownModelError, match=r"There are: three \(ready\), two \(ready\)"):
            await process.supervisor.status("nine")
        with pytest.raises(UnknownModelError, match="leave model out for the one .* last"):
            await process.supervisor.stop(force=False, model="nine")
        with pytest.raises(AmbiguousModelError, match="three, two"):
            await process.supervisor.status("t")
        assert (await process.supervisor.status("TW")).model == "two"


async def test_turns_that_name_two_models_at_once_get_one_each(
    several: Settings, fake_folder: Path
) -> None:
    models: list[str] = []

    async def take(process: Process, name: str) -> None:
        models.append((await serve(process, name)).model)

    async with process_of(several) as process, process_of(several) as other:
        async with anyio.create_task_group() as tasks:
            for each in (process, other):
                for name in ("one", "two"):
                    tasks.start_soon(take, each, name)
        assert sorted(models) == ["one", "one", "two", "two"]
        assert len(recorded_launches(fake_folder)) == 2
        await process.supervisor.stop(force=True, model="all")


async def test_an_older_llama_mcp_sees_what_was_started_last_and_its_own_starts_count_as_well(
    several: Settings,
) -> None:
    async with process_of(several) as process:
        await serve(process, "one")
        await serve(process, "two")
        current = current_run(several.runs_dir)
        assert isinstance(current, Run) and current.launch.alias == "two"
        # It knows current.json only, and leaves the pointers of models as they are.
        older = next(run for run in latest_runs(several.runs_dir) if run != current)
        (several.runs_dir / "current.json").write_text(f'{{"run": "{older.name}"}}')
        runs = latest_runs(several.runs_dir)
        assert [run.launch.alias for run in runs if isinstance(run, Run)] == ["one", "two"]


async def test_another_file_of_the_same_name_takes_its_place_by_the_same_rules(
    several: Settings, tmp_path: Path, tiny_model: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    namesake = str(shutil.copy(tiny_model, tmp_path / "elsewhere" / "one.gguf"))
    async with process_of(several) as process:
        server = await serve(process, "one")
        process.turns = [Use(session="2222 (Hi)", pid=os.getpid(), run=server.serving_id)]
        with pytest.raises(NoRoomError, match="another file with that name runs, and one .*use"):
            await serve(process, namesake)
        process.turns = []
        other = await serve(process, namesake)
        assert other.run.launch.config.model_path == namesake
        assert set(await running(process)) == {"one"}


async def test_a_model_that_does_not_load_leaves_the_others_alone(
    several: Settings, fake_folder: Path
) -> None:
    async with process_of(several) as process:
        await serve(process, "one")
        set_faults(fake_folder, exit_during_load=3)
        with pytest.raises(Exception, match="exit code 3"):
            await serve(process, "two")
        set_faults(fake_folder)
        assert set(await running(process)) == {"one"}
        status = await process.supervisor.status()
        assert (status.model, status.state) == ("one", ServerState.READY)


async def test_what_a_failed_start_replaced_comes_back_although_another_model_was_started_since(
    several: Settings, fake_folder: Path
) -> None:
    async with process_of(several) as process:
        await start(process.supervisor, model_path="one")
        set_faults(fake_folder, load_seconds=600)
        again = await start(
            process.supervisor, model_path="one", ctx_size=256, replace=True, wait_seconds=0
        )
        assert again.state is ServerState.STARTING
        await start(process.supervisor, model_path="two", wait_seconds=0)
        assert again.pid is not None
        psutil.Process(again.pid).kill()
        await until(lambda: is_gone(again.pid or 0), "it ends")
        with anyio.fail_after(PATIENCE_SECONDS):
            while set(await running(process)) != {"one", "two"}:
                await anyio.sleep(0.02)
        assert (await process.supervisor.config("one")).ctx_size != 256


async def test_of_two_names_that_differ_in_their_case_each_is_its_own_models(
    several: Settings, tmp_path: Path, tiny_model: Path
) -> None:
    (tmp_path / "other").mkdir()
    shutil.copy(tiny_model, tmp_path / "other" / "ONE.gguf")
    settings = several.model_copy(update={"model_dirs": (*several.model_dirs, tmp_path / "other")})
    async with process_of(settings) as process:
        for name in ("one", "ONE"):
            assert (await serve(process, name)).model == name
        for name in ("one", "ONE"):
            assert (await process.supervisor.status(name)).model == name
            assert (await serve(process, name)).model == name
        assert set(await running(process)) == {"one", "ONE"}


@pytest.fixture
def on_a_gpu(several: Settings, tmp_path: Path) -> Settings:
    """Two models of 8 billion parameters, for a machine whose GPU has room for one of them."""
    folder = tmp_path / "large"
    folder.mkdir()
    for name in ("big", "great"):
        write_llama_8b(folder / f"{name}.gguf", vocabulary=1000)
    changes = {"model_dirs": (folder,), "max_models": 3, "ctx_size": 4096, "parallel": 1}
    return several.model_copy(update=changes)


async def fill_gpu(process: Process, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a model take most of the GPU's memory."""
    pid = (await process.supervisor.status(model)).pid
    assert pid is not None
    gpu = Gpu("Stand-in", free_bytes=GIB, total_bytes=24 * GIB, used=((pid, 22 * GIB),))
    use_gpus(monkeypatch, gpu)


async def test_a_model_that_takes_the_memory_of_another_makes_room_although_more_may_run(
    on_a_gpu: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with process_of(on_a_gpu) as process:
        await serve(process, "big")
        await fill_gpu(process, "big", monkeypatch)
        great = await serve(process, "great")
        assert "big was stopped to make room" in great.notes[0]
        assert set(await running(process)) == {"great"}


async def test_a_model_that_has_to_share_memory_is_started_with_a_note_or_not_at_all(
    on_a_gpu: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = on_a_gpu.model_copy(update={"swap_after_seconds": -1.0})
    async with process_of(settings) as process:
        await serve(process, "big")
        await fill_gpu(process, "big", monkeypatch)
        with pytest.raises(NoRoomError, match="beside what runs it would not fit into memory"):
            await start(process.supervisor, model_path="great", n_gpu_layers=-1)
        great = await serve(process, "great")
        assert re.match(
            r"great has less memory than it could have: beside what runs it would be on the .*, "
            r"and big \(.*\) is not stopped for another",
            great.notes[0],
        )
        assert set(await running(process)) == {"big", "great"}


async def test_models_that_are_idle_are_told_beside_the_others(several: Settings) -> None:
    settings = several.model_copy(update={"idle_seconds": 0.3})
    async with process_of(settings) as process:
        for name in ("one", "two"):
            await serve(process, name)
        with anyio.fail_after(PATIENCE_SECONDS):
            while [state.state for state in await process.supervisor.observe_all()] != ["idle"] * 2:
                await anyio.sleep(0.02)
        status = await process.supervisor.status()
        assert (status.model, status.state) == ("two", ServerState.IDLE)
        rows = [(row.name, row.state, row.port) for row in status.models or []]
        assert rows == [("one", "idle", None)]  # nobody listens
        assert "unloaded" in (await serve(process, "one")).notes[0]
