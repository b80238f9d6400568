"""A model that is used without a word in the archive stays, and newcomers never lose theirs."""

import os
from pathlib import Path

import anyio
import psutil
import pytest

from llama_mcp.llama_server.model_errors import NoRoomError
from llama_mcp.llama_server.ready_run import ReadyRun
from llama_mcp.llama_server.ready_server import WantedServer
from llama_mcp.llama_server.runs.leaving import leaving
from llama_mcp.llama_server.runs.promises import Promises
from llama_mcp.llama_server.runs.run import RunFolder
from llama_mcp.llama_server.runs.start_lock import StartLock
from llama_mcp.llama_server.status import ServerState
from llama_mcp.llama_server.use import Use
from llama_mcp.settings import Settings
from tests.fake_llama_server.install import recorded_launches, set_faults
from tests.llama_server.choosing.test_several_models import serve
from tests.llama_server.conftest import Process, process_of
from tests.support.processes import PATIENCE_SECONDS, is_gone, until

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows


@pytest.fixture
def one_at_a_time(with_library: Settings) -> Settings:
    return with_library.model_copy(update={"max_models": 1, "swap_after_seconds": 0.0})


async def test_a_model_stays_for_a_call_that_has_got_it_and_no_turn_yet(
    one_at_a_time: Settings,
) -> None:
    async with process_of(one_at_a_time) as process:
        got = await process.supervisor.ready_server(WantedServer(model="one"))
        got = await got.when_ready(lambda _load: None)
        with pytest.raises(NoRoomError, match="a call of this llama-mcp has just begun with it"):
            await serve(process, "two")
        again = await process.supervisor.ready_server(WantedServer(model="one"))
        # The turn is in the archive now; another call still has nothing there.
        again.note_use()
        with pytest.raises(NoRoomError, match="has just begun"):
            await serve(process, "two")
        process.supervisor.attachment.promises = Promises()  # as after ten seconds
        assert (await serve(process, "two")).model == "two"


async def test_a_model_that_generates_for_somebody_else_stays_until_that_is_over(
    one_at_a_time: Settings, fake_folder: Path
) -> None:
    set_faults(fake_folder, token_delay_seconds=0.05, reply="word " * 600)
    async with process_of(one_at_a_time) as process:
        server = await serve(process, "one")
        body = {"messages": [{"role": "user", "content": "Hello"}]}
        async with server.client.stream_chat(body) as chunks:
            async for _chunk in chunks:
                break
            with pytest.raises(NoRoomError, match="1 reply is being generated"):
                await serve(process, "two")
        assert (await serve(process, "two", PATIENCE_SECONDS)).model == "two"


async def test_no_model_is_stopped_where_that_would_not_be_enough(
    one_at_a_time: Settings,
) -> None:
    one_at_a_time = one_at_a_time.model_copy(update={"linger_seconds": 60})
    two_at_a_time = one_at_a_time.model_copy(update={"max_models": 2})
    async with process_of(two_at_a_time) as process, process_of(one_at_a_time) as other:
        await serve(process, "one")
        used = await serve(process, "two")
        await process.supervisor.attachment.release_all()
        other.turns = [Use(session="2222 (Hi)", pid=os.getpid(), run=used.serving_id)]
        with pytest.raises(NoRoomError, match=r"two \(.*\) is in use"):
            await serve(other, "three")
        states = await other.supervisor.attachment.readable_states()
        over = [each.run.launch.alias for each in states if each.run.is_stop_requested()]
        assert over == []
        await other.supervisor.stop(force=True, model="all")


async def test_a_newcomer_waits_for_the_decision_and_gets_the_model_whatever_it_is(
    one_at_a_time: Settings, fake_folder: Path
) -> None:
    served: list[ReadyRun] = []

    async def come(process: Process) -> None:
        served.append(await serve(process, "one", PATIENCE_SECONDS))

    async with process_of(one_at_a_time) as process, process_of(one_at_a_time) as other:
        first = await serve(process, "one")
        lock = StartLock(one_at_a_time.runs_dir, process.supervisor.attachment)
        for is_stopped in (False, True):
            async with (
                anyio.create_task_group() as tasks,
                lock.hold() as exclusive,
                leaving(first.run),
            ):
                tasks.start_soon(come, other)
                await until(
                    lambda: bool(process.supervisor.attachment.others(first.run)),
                    "the newcomer shows itself",
                )
                assert not served
                if is_stopped:
                    await exclusive.end(first.run)
            assert (served.pop().serving_id == first.serving_id) is not is_stopped
            await other.supervisor.aclose()
        assert len(recorded_launches(fake_folder)) == 2


async def test_who_reads_on_waits_for_no_lock_where_the_model_has_crashed(
    one_at_a_time: Settings,
) -> None:
    async with process_of(one_at_a_time) as process:
        server = await serve(process, "one")
        state = await process.supervisor.attachment.read_state(server.run)
        assert state.pid is not None and state.state is ServerState.READY
        lock = StartLock(one_at_a_time.runs_dir, process.supervisor.attachment)
        async with lock.hold():
            with anyio.fail_after(PATIENCE_SECONDS):
                async with leaving(server.run):
                    assert await process.supervisor.ready_run(server.serving_id) is None
                psutil.Process(state.pid).kill()
                await until(lambda: is_gone(state.pid or 0), "it ends")
                assert await process.supervisor.ready_run(server.serving_id) is None


def test_a_promise_holds_until_it_is_taken_back_or_its_time_is_over(tmp_path: Path) -> None:
    promises, run, other = Promises(), RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")
    first, second = promises.make(run), promises.make(run)
    assert promises.is_made(run) and not promises.is_made(other)
    first.take_back()
    assert promises.is_made(run)
    second.keep(0)
    assert not promises.is_made(run)
