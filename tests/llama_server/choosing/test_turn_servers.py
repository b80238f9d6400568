"""Which llama-server a turn gets: the one that is there, else one that is started for it."""

from pathlib import Path

import anyio
import psutil
import pytest

from llama_mcp.errors import Step, WrongSettingsError
from llama_mcp.llama_server.errors import (
    EngineNotFoundError,
    NotRunningError,
    NotStartedForTurnError,
)
from llama_mcp.llama_server.model_errors import CannotChatError, NoRoomError
from llama_mcp.llama_server.ready_run import ReadyRun
from llama_mcp.llama_server.ready_server import ModelLoad, WantedServer
from llama_mcp.llama_server.runs.records import Launch
from llama_mcp.llama_server.runs.run import Run, current_run
from llama_mcp.llama_server.status import ServerState
from llama_mcp.models.errors import ModelUnusableError
from llama_mcp.settings import Settings
from llama_mcp.settings_group import Fault
from tests.fake_llama_server.install import recorded_launches, set_faults
from tests.llama_server.conftest import Process, process_of, start
from tests.support.processes import PATIENCE_SECONDS, until
from tests.support.tiny_bert import write_tiny_bert

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows


def ignore(_load: ModelLoad) -> None:
    return


async def serve(process: Process) -> ReadyRun:
    """Return the llama-server of a turn, once it answers."""
    server = await process.supervisor.ready_server()
    return await server.when_ready(ignore)


async def kill(process: Process) -> None:
    """Let llama-server crash."""
    pid = (await process.supervisor.status()).pid
    assert pid is not None
    psutil.Process(pid).kill()
    with anyio.fail_after(PATIENCE_SECONDS):
        while (await process.supervisor.status()).state is not ServerState.CRASHED:
            await anyio.sleep(0.01)


async def test_a_turn_gets_what_llama_server_says_of_itself(
    first: Process, settings: Settings
) -> None:
    await start(first.supervisor, parallel=2, ctx_size=512)
    server = await first.supervisor.ready_server()
    run = current_run(settings.runs_dir)
    assert run is not None and server.serving_id == run.name
    assert server.total_slots == 2 and server.slot_ctx_size == 512 and server.notes == []


async def test_a_turn_without_a_llama_server_gets_one_that_is_started_for_it_and_says_so(
    first: Process, fake_folder: Path
) -> None:
    for launches in (1, 2):
        server = await serve(first)
        assert server.model == "tiny"
        assert list(server.notes) == ["llama-server was started for this call (tiny)."]
        assert len(recorded_launches(fake_folder)) == launches
        assert not (await first.supervisor.ready_server()).notes  # the next finds it
        # Whoever stops it frees the memory; whoever chats then wants it again.
        await first.supervisor.stop(force=False)


async def test_turns_of_two_processes_at_once_start_one_llama_server(
    first: Process, second: Process, fake_folder: Path
) -> None:
    servers: list[ReadyRun] = []

    async def take(process: Process) -> None:
        servers.append(await serve(process))

    async with anyio.create_task_group() as tasks:
        for process in (first, second, first, second):
            tasks.start_soon(take, process)
    assert len({server.serving_id for server in servers}) == 1
    assert len(recorded_launches(fake_folder)) == 1
    assert sum(len(server.notes) for server in servers) == 1
    assert (await first.supervisor.status()).clients == 2
    await first.supervisor.stop(force=True)


async def test_what_runs_takes_the_turn_whatever_its_settings_are(
    first: Process, second: Process, fake_folder: Path
) -> None:
    await start(first.supervisor, ctx_size=256)
    server = await serve(second)
    assert (server.slot_ctx_size, list(server.notes)) == (256, [])
    assert len(recorded_launches(fake_folder)) == 1


async def test_a_model_that_loads_is_named_at_once_and_waited_for_by_whoever_wants_its_answers(
    first: Process, second: Process, fake_folder: Path, settings: Settings
) -> None:
    set_faults(fake_folder, load_held=True)
    began = await first.supervisor.ready_server()
    joined = await second.supervisor.ready_server()
    run = current_run(settings.runs_dir)
    assert run is not None and began.load and joined.load
    assert began.serving_id == joined.serving_id == run.name
    assert (began.model, began.total_slots) == ("tiny", 4)
    loads: list[ModelLoad] = []
    ready: list[ReadyRun] = []

    async def wait(server: ReadyRun) -> None:
        ready.append(await server.when_ready(loads.append))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, began)
        tasks.start_soon(wait, joined)
        await until(lambda: len(loads) > 4, "both hear how it goes on")
        assert not ready
        set_faults(fake_folder)
    assert all(load.line.startswith("Loading tiny") for load in loads)
    assert [server.load for server in ready] == [None, None]


async def test_a_model_that_does_not_load_is_told_with_the_diagnosis_of_the_start(
    first: Process, fake_folder: Path
) -> None:
    set_faults(fake_folder, exit_during_load=3, load_seconds=0.1)
    with pytest.raises(NotStartedForTurnError) as failure:
        await serve(first)
    told = str(failure.value)
    assert told.startswith("llama-server did not start") and "exit code 3" in told
    assert "The message waited for it and is kept." in told
    set_faults(fake_folder)
    assert (await serve(first)).model == "tiny"  # what was wrong is right now


async def test_a_start_whose_caller_gives_it_up_goes_on_for_a_turn_that_waits_for_it(
    first: Process, fake_folder: Path
) -> None:
    set_faults(fake_folder, load_held=True)
    ready: list[ReadyRun] = []

    async def begin() -> None:
        with starting:
            await start(first.supervisor)

    async def wait(server: ReadyRun) -> None:
        ready.append(await server.when_ready(ignore))

    async with anyio.create_task_group() as tasks:
        starting = anyio.CancelScope()
        tasks.start_soon(begin)
        await until(lambda: len(recorded_launches(fake_folder)) == 1, "it loads")
        tasks.start_soon(wait, await first.supervisor.ready_server())
        starting.cancel()
        await anyio.wait_all_tasks_blocked()
        set_faults(fake_folder)
    assert len(ready) == len(recorded_launches(fake_folder)) == 1


async def test_where_chats_start_nothing_a_turn_is_told_that_none_runs(settings: Settings) -> None:
    async with process_of(settings.model_copy(update={"auto_start": False})) as process:
        assert (await process.supervisor.status()).state is ServerState.STOPPED
        with pytest.raises(NotRunningError, match="Start llama-server first"):
            await process.supervisor.ready_server()
        await start(process.supervisor)
        assert (await process.supervisor.ready_server()).model == "tiny"


async def test_what_a_start_cannot_be_made_with_is_told_to_the_turn(
    settings: Settings, tmp_path: Path
) -> None:
    lost = settings.model_copy(update={"llama_cpp_path": str(tmp_path / "nowhere")})
    async with process_of(lost) as process:
        with pytest.raises(Exception, match="LLAMA_MCP_LLAMA_CPP_PATH") as failure:
            await process.supervisor.ready_server()
        assert isinstance(failure.value.__cause__, EngineNotFoundError)
        assert not list(settings.runs_dir.glob("2*"))
    wrong = settings.with_findings([Fault("auto_start", "LLAMA_MCP_AUTO_START cannot be 'x'.")], [])
    async with process_of(wrong) as process:
        with pytest.raises(WrongSettingsError, match="LLAMA_MCP_AUTO_START"):
            await process.supervisor.ready_server()


async def test_a_model_without_replies_takes_no_turn_and_is_not_started_for_one(
    settings: Settings, fake_folder: Path, tmp_path: Path
) -> None:
    embeds = str(write_tiny_bert(tmp_path / "embeds.gguf"))
    async with process_of(settings.model_copy(update={"model_path": embeds})) as process:
        for _ in range(2):
            with pytest.raises(CannotChatError, match="operator's default"):
                await process.supervisor.ready_server()
        assert not recorded_launches(fake_folder)
        await start(process.supervisor)
        with pytest.raises(CannotChatError, match="that runs") as refused:
            await process.supervisor.ready_server()
        assert Step.REPLACE in refused.value.next
        # Who has named it names another one.
        with pytest.raises(CannotChatError, match="that was asked for") as refused:
            await process.supervisor.ready_server(WantedServer(model="embeds"))
        assert Step.REPLACE not in refused.value.next
        assert len(recorded_launches(fake_folder)) == 1
        await process.supervisor.stop(force=True)


async def test_one_that_has_crashed_gives_way_to_the_model_that_a_chat_starts(
    first: Process, fake_folder: Path, tmp_path: Path
) -> None:
    started = await start(
        first.supervisor, model_path=str(write_tiny_bert(tmp_path / "embeds.gguf"))
    )
    assert started.pid is not None
    await kill(first)
    assert (await serve(first)).model == "tiny"
    assert len(recorded_launches(fake_folder)) == 2


async def test_a_model_of_which_an_older_record_says_nothing_takes_turns(
    first: Process, settings: Settings
) -> None:
    await start(first.supervisor)
    run = current_run(settings.runs_dir)
    assert isinstance(run, Run) and run.launch.about_model is not None
    record = run.launch.model_dump(mode="json", exclude={"about_model"})
    assert Launch.model_validate(record).about_model is None
    assert (await serve(first)).model == "tiny"


async def test_a_turn_that_names_its_model_gets_that_one_started(
    with_library: Settings, tmp_path: Path, fake_folder: Path
) -> None:
    async with process_of(with_library) as process:
        for name in ("two", str(tmp_path / "library" / "two" / "two.gguf")):
            server = await process.supervisor.ready_server(WantedServer(model=name))
            server = await server.when_ready(ignore)
            assert (server.model, len(server.notes)) == ("two", 1)
            await process.supervisor.stop(force=True)
    assert len(recorded_launches(fake_folder)) == 2


async def test_what_runs_takes_a_turn_that_names_it_by_path_or_by_name(
    with_library: Settings, tmp_path: Path, fake_folder: Path
) -> None:
    path = tmp_path / "library" / "one" / "one.gguf"
    link = tmp_path / "a-link.gguf"
    link.symlink_to(path)
    async with process_of(with_library) as process:
        await start(process.supervisor, model_path="one", ctx_size=256)
        for name in ("one", "one/one", "ONE.gguf", str(path), str(link)):
            server = await process.supervisor.ready_server(WantedServer(model=name))
            assert (server.model, server.slot_ctx_size) == ("one", 256)
    assert len(recorded_launches(fake_folder)) == 1


async def test_a_turn_that_names_another_model_than_runs_is_told_which_and_what_to_do(
    with_library: Settings, fake_folder: Path
) -> None:
    async with process_of(with_library) as process, process_of(with_library) as other:
        await start(process.supervisor, model_path="one")
        with pytest.raises(NoRoomError, match="no room for the model two") as refused:
            await other.supervisor.ready_server(WantedServer(model="two"))
        assert "one (" in str(refused.value) and "another llama-mcp process" in str(refused.value)
        assert refused.value.next == (Step.STOP_ONE,)
        # Whoever was refused keeps nothing of it running.
        assert (await process.supervisor.status()).clients == 1
        with pytest.raises(ModelUnusableError, match="four"):
            await other.supervisor.ready_server(WantedServer(model="four"))
    assert len(recorded_launches(fake_folder)) == 1


async def test_of_turns_that_name_two_models_at_once_one_is_refused(
    with_library: Settings, fake_folder: Path
) -> None:
    models: list[str] = []
    refused: list[str] = []

    async def take(process: Process, name: str) -> None:
        try:
            models.append((await process.supervisor.ready_server(WantedServer(model=name))).model)
        except NoRoomError as error:
            refused.append(str(error))

    async with process_of(with_library) as process, process_of(with_library) as other:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take, process, "one")
            tasks.start_soon(take, other, "two")
        await until(lambda: len(recorded_launches(fake_folder)) == 1, "one of them loads")
        await process.supervisor.stop(force=True)
    assert len(models) == len(refused) == len(recorded_launches(fake_folder)) == 1


async def test_a_crashed_model_gives_way_to_another_that_a_turn_names(
    with_library: Settings, fake_folder: Path
) -> None:
    async with process_of(with_library) as process:
        for name, expected in (("two", "two"), ("two.gguf", "two"), (None, "two")):
            started = await process.supervisor.ready_server(WantedServer(model=name))
            started = await started.when_ready(ignore)
            assert started.model == expected
            await kill(process)
        server = await process.supervisor.ready_server(WantedServer(model="one"))
        assert (await server.when_ready(ignore)).model == "one"
        await process.supervisor.stop(force=True)
    launches = [launch["argv"] for launch in recorded_launches(fake_folder)]
    names = [Path(argv[argv.index("-m") + 1]).stem for argv in launches]
    assert names == ["two", "two", "two", "one"]


async def test_a_named_model_without_replies_or_with_starts_forbidden_is_not_started(
    with_library: Settings, tmp_path: Path, fake_folder: Path
) -> None:
    embeds = str(write_tiny_bert(tmp_path / "embeds.gguf"))
    async with process_of(with_library) as process:
        with pytest.raises(CannotChatError, match="that was asked for cannot chat: embeds"):
            await process.supervisor.ready_server(WantedServer(model=embeds))
        with pytest.raises(NotRunningError):
            await process.supervisor.ready_server(WantedServer(model="one", may_start=False))
    async with process_of(with_library.model_copy(update={"auto_start": False})) as process:
        with pytest.raises(NotRunningError):
            await process.supervisor.ready_server(WantedServer(model="one"))
    assert not recorded_launches(fake_folder)
