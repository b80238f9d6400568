"""Models that the operator has named, several at once, and a whole name that is no beginning."""

from pathlib import Path

import pytest

from llama_mcp.llama_server.errors import AlreadyRunningError
from llama_mcp.llama_server.ready_server import WantedServer
from llama_mcp.llama_server.status import ServerState
from llama_mcp.models.errors import ModelsFileError
from llama_mcp.settings import Settings
from tests.fake_llama_server.install import recorded_launches
from tests.llama_server.choosing.test_several_models import running, serve
from tests.llama_server.conftest import process_of, start
from tests.support.models_file import entry, write_models

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_models(
        tmp_path / "models.toml",
        entry("code", "one", ctx_size=512),
        entry("code large", "one", ctx_size=1024, keep=True),
        entry("talk", "two"),
    )


@pytest.fixture
def named(with_library: Settings, file: Path) -> Settings:
    more = {"max_models": 2, "swap_after_seconds": 0.0, "models": file}
    return with_library.model_copy(update=more)


async def test_two_names_of_one_file_run_side_by_side_with_their_own_settings(
    named: Settings,
) -> None:
    async with process_of(named) as process:
        small = await serve(process, "code")
        large = await serve(process, "CODE L")
        assert small.address != large.address
        assert set(await running(process)) == {"code", "code large"}
        for name, tokens in (("code", 512), ("code large", 1024)):
            assert (await process.supervisor.config(name)).ctx_size == tokens
            again = await serve(process, name)
            assert again.run.launch.alias == name
        # A path and the name of a file mean what runs of it.
        assert (await serve(process, "one")).run.launch.alias in ("code", "code large")


async def test_the_whole_name_of_an_entry_is_no_beginning_of_another(named: Settings) -> None:
    async with process_of(named) as process:
        await serve(process, "code large")
        assert await process.supervisor.observe("code") is None
        for status in (
            await process.supervisor.status("code"),
            await process.supervisor.stop(force=True, model="code"),
        ):
            assert (status.model, status.state) == ("code", ServerState.STOPPED)
            assert [row.name for row in status.models or []] == ["code large"]
        assert (await process.supervisor.config("code")).ctx_size == 512
        assert (await process.supervisor.status("code l")).model == "code large"
        assert (await serve(process, "code")).run.launch.alias == "code"


async def test_an_entry_that_is_kept_makes_no_room(named: Settings) -> None:
    async with process_of(named) as process:
        await serve(process, "code large")
        await serve(process, "code")
        third = await serve(process, "talk")
        assert any("code was stopped to make room" in note for note in third.notes)
        assert set(await running(process)) == {"code large", "talk"}


async def test_where_one_model_runs_another_name_of_its_file_replaces_it(named: Settings) -> None:
    async with process_of(named.model_copy(update={"max_models": 1})) as process:
        await start(process.supervisor, model_path="code")
        with pytest.raises(AlreadyRunningError, match=r"its name \('code', asked for 'talk'\)"):
            await start(process.supervisor, model_path="talk")
        replaced = await start(process.supervisor, model_path="talk", replace=True)
        assert replaced.model == "talk"


async def test_of_several_that_run_a_turn_takes_the_operators_default(named: Settings) -> None:
    async with process_of(named) as process:
        await serve(process, "code")
        await serve(process, "talk")
        assert (await serve(process)).run.launch.alias == "code"
    by_setting = named.model_copy(update={"model_path": "talk"})
    async with process_of(by_setting) as process:
        await serve(process, "talk")
        await serve(process, "code")
        assert (await serve(process)).run.launch.alias == "talk"


async def test_the_port_of_an_entry_is_its_own(named: Settings, file: Path) -> None:
    async with process_of(named) as process:
        taken = (await start(process.supervisor, model_path="code")).port
        write_models(file, entry("code", "one", ctx_size=512), entry("talk", "two", port=taken))
        with pytest.raises(Exception, match=f"Port {taken} is taken"):
            await start(process.supervisor, model_path="talk")
        assert (await start(process.supervisor, model_path="talk", port=0)).port != taken


async def test_a_session_goes_on_with_its_entry_and_no_other_of_that_beginning(
    named: Settings, file: Path
) -> None:
    async with process_of(named) as process:
        server = await process.supervisor.ready_server(WantedServer(usual_model="code"))
        assert server.run.launch.alias == "code"
        await process.supervisor.stop(force=True, model="all")
        write_models(file, entry("code large", "one"))
        gone = await process.supervisor.ready_server(WantedServer(usual_model="code"))
        assert gone.run.launch.alias != "code large"


async def test_a_wrong_file_hinders_no_turn_with_what_runs(
    named: Settings, file: Path, fake_folder: Path
) -> None:
    async with process_of(named) as process:
        await serve(process, "code")
        await serve(process, "talk")
        write_models(file, "nonsense")
        assert (await serve(process, "talk")).run.launch.alias == "talk"
        assert (await serve(process)).run.launch.alias in ("code", "talk")
        assert (await process.supervisor.status("cod")).model == "code"
        with pytest.raises(ModelsFileError):
            await serve(process, "code large")
        assert len(recorded_launches(fake_folder)) == 2
