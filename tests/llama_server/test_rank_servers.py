"""Which llama-server ranks: one that makes vectors or scores, and never somebody's chat model."""

import shutil
from pathlib import Path

import psutil
import pytest

from llama_mcp.errors import Step
from llama_mcp.llama_server.errors import NotRunningError
from llama_mcp.llama_server.model_errors import (
    CannotRankError,
    NoRankModelError,
    NoRoomError,
    RankFailedError,
)
from llama_mcp.llama_server.rank_run import RankRun
from llama_mcp.llama_server.status import ServerState
from llama_mcp.settings import Settings
from tests.fake_llama_server.install import recorded_launches, set_faults
from tests.llama_server.conftest import Process, process_of, start
from tests.support.processes import until
from tests.support.tiny_bert import write_tiny_bert

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows

CONTEXT = 128


@pytest.fixture
def library(tmp_path: Path, tiny_model: Path) -> Path:
    """A folder with a chat model alone; tests put more into it."""
    folder = tmp_path / "library"
    folder.mkdir()
    shutil.copy(tiny_model, folder / "talks.gguf")
    return folder


@pytest.fixture
def settings(settings: Settings, library: Path) -> Settings:
    dirs = {"model_dirs": (library,), "model_places": (), "model_path": None}
    return settings.model_copy(update=dirs)


def put_embeds(library: Path, name: str = "embeds") -> Path:
    return write_tiny_bert(library / f"{name}.gguf", context_length=CONTEXT)


def put_ranks(library: Path) -> Path:
    return write_tiny_bert(library / "ranks.gguf", context_length=CONTEXT, ranks=True)


async def serve(process: Process, model: str | None = None) -> RankRun:
    server = await process.supervisor.rank_server(model=model)
    return await server.when_ready(lambda _load: None)


async def test_the_only_model_that_ranks_is_started_and_taken_again(
    first: Process, library: Path, fake_folder: Path
) -> None:
    put_embeds(library)
    server = await serve(first)
    assert (server.model, server.kind) == ("embeds", "embedding")
    assert list(server.notes) == ["llama-server was started for this call (embeds)."]
    assert server.input_limit == CONTEXT
    again = await serve(first)
    assert again.identity == server.identity and not again.notes
    assert len(recorded_launches(fake_folder)) == 1


async def test_what_runs_ranks_whatever_else_there_is(first: Process, library: Path) -> None:
    put_embeds(library)
    put_ranks(library)
    await start(first.supervisor, model_path="ranks")
    server = await serve(first)
    assert (server.model, server.kind) == ("ranks", "rerank")


async def test_a_chat_model_that_runs_is_neither_asked_nor_stopped(
    first: Process, library: Path, fake_folder: Path
) -> None:
    put_embeds(library)
    started = await start(first.supervisor, model_path="talks")
    with pytest.raises(CannotRankError) as refused:
        await serve(first)
    told = str(refused.value)
    assert "talks is a chat model" in told and "embeds (" in told
    assert refused.value.next == (Step.START, Step.REPLACE)
    # Named, another one runs all the same.
    with pytest.raises(NoRoomError, match=r"talks \(.* was used \d+ s ago"):
        await serve(first, "embeds")
    with pytest.raises(CannotRankError, match=r"asked for cannot .* as model\."):
        await serve(first, "talks")
    assert (await first.supervisor.status()).pid == started.pid
    assert len(recorded_launches(fake_folder)) == 1


async def test_a_chat_model_that_is_named_is_not_started(
    first: Process, library: Path, fake_folder: Path
) -> None:
    with pytest.raises(CannotRankError, match="that was asked for cannot rank") as refused:
        await serve(first, "talks")
    assert refused.value.next == (Step.DOWNLOAD,)  # there is none to name instead
    put_embeds(library)
    with pytest.raises(CannotRankError, match=r"embeds .* Pass one of them as model\."):
        await serve(first, "talks")
    assert not recorded_launches(fake_folder)


async def test_where_none_or_several_could_be_meant_the_call_is_told_which(
    first: Process, library: Path, fake_folder: Path
) -> None:
    with pytest.raises(NoRankModelError, match="no embedding or rerank model") as none:
        await serve(first)
    assert none.value.next == (Step.DOWNLOAD,)
    put_embeds(library)
    put_ranks(library)
    with pytest.raises(NoRankModelError, match=r"embeds \(.*ranks \(|ranks \(.*embeds \("):
        await serve(first)
    assert not recorded_launches(fake_folder)
    assert (await serve(first, "ranks")).kind == "rerank"


async def test_the_operators_default_is_meant_if_it_ranks(
    settings: Settings, library: Path
) -> None:
    put_embeds(library)
    default = str(put_embeds(library, "chosen"))
    async with process_of(settings.model_copy(update={"model_path": default})) as process:
        assert (await serve(process)).model == "chosen"
        await process.supervisor.stop(force=True)


async def test_where_nothing_is_started_for_a_call_none_is_for_a_ranking(
    settings: Settings, library: Path
) -> None:
    put_embeds(library)
    async with process_of(settings.model_copy(update={"auto_start": False})) as process:
        with pytest.raises(NotRunningError):
            await serve(process)


async def test_of_what_has_crashed_a_model_that_ranks_is_started_again_and_no_other(
    first: Process, library: Path, fake_folder: Path
) -> None:
    put_embeds(library)

    async def kill() -> None:
        pid = (await first.supervisor.status()).pid
        assert pid is not None
        psutil.Process(pid).kill()
        while (await first.supervisor.status()).state is not ServerState.CRASHED:
            await until(lambda: not psutil.pid_exists(pid), "it is gone")

    await start(first.supervisor, model_path="talks")
    await kill()
    assert (await serve(first)).model == "embeds"
    await kill()
    server = await serve(first)
    assert server.model == "embeds" and "started again" in " ".join(server.notes)
    assert len(recorded_launches(fake_folder)) == 3


async def test_a_smaller_batch_of_the_callers_own_bounds_what_is_read(
    first: Process, library: Path
) -> None:
    put_embeds(library)
    await start(first.supervisor, model_path="embeds", extra_args=("--ubatch-size", "64"))
    server = await serve(first)
    assert server.input_limit == 64


async def test_vectors_depend_on_the_file_and_on_flags(
    first: Process, library: Path, fake_folder: Path
) -> None:
    path = put_embeds(library)
    identities = {(await serve(first)).identity}
    new = library / "new"
    new.write_bytes(path.read_bytes() + b"\0")
    new.replace(path)
    of_the_old_one = await serve(first)  # which was loaded, and makes the vectors
    await first.supervisor.stop(force=True)
    identities.add((await serve(first)).identity)
    assert of_the_old_one.identity not in identities
    await first.supervisor.stop(force=True)
    await start(first.supervisor, model_path="embeds", extra_args=("--ubatch-size", "64"))
    identities.add((await serve(first)).identity)
    assert len(identities) == 3 and len(of_the_old_one.identity) == 32
    assert all(identity.isalnum() for identity in identities)


async def test_a_refusal_of_llama_server_is_told_as_one_of_a_ranking(
    first: Process, library: Path, fake_folder: Path
) -> None:
    put_embeds(library)
    server = await serve(first)
    body = {"error": {"message": "input is too large"}}
    set_faults(fake_folder, answers={"/v1/embeddings": {"code": 500, "body": body}})
    with pytest.raises(RankFailedError, match="could not rank: .*input is too large") as refused:
        await server.vectors_of(["a"])
    assert refused.value.next == (Step.STATUS,)
    body = {"error": {"message": "Pooling type 'none' is not OAI compatible."}}
    set_faults(fake_folder, answers={"/v1/embeddings": {"code": 400, "body": body}})
    with pytest.raises(RankFailedError, match="--pooling") as refused:
        await server.vectors_of(["a"])
    assert refused.value.next == (Step.START, Step.REPLACE)
