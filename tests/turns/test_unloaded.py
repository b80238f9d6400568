"""Turns whose process stands still until their model is unloaded: it is brought back for them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.files.border import FileBorder
from llama_mcp.llama_server.left_replies import LeftRunReplies
from llama_mcp.llama_server.ready_server import ANY_SERVER, ReadyServer, WantedServer
from llama_mcp.llama_server.status import ServerState
from llama_mcp.llama_server.supervisor import Supervisor
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.in_flight import InFlight
from llama_mcp.turns.jobs.beginning import Jobs
from llama_mcp.turns.jobs.job_request import JobRequest
from tests.fake_llama_server.install import recorded_launches
from tests.support.processes import PATIENCE_SECONDS, until
from tests.turns.conftest import SENTENCE, Room

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows

IDLE_SECONDS = 0.3
BACK = "it had been unloaded after 0.3 s without a turn."
SCHEMA: dict[str, Any] = {"type": "string"}


class StandingStill:
    """The llama-servers of a process that stands still each time that it has been given one."""

    def __init__(self, supervisor: Supervisor, times: int) -> None:
        self._supervisor = supervisor
        self._times = times

    async def ready_server(self, wanted: WantedServer = ANY_SERVER) -> ReadyServer:
        server = await self._supervisor.ready_server(wanted)
        server = await server.when_ready(lambda _load: None)
        if self._times:
            self._times -= 1
            with anyio.fail_after(PATIENCE_SECONDS):
                while (await self._supervisor.status()).state is not ServerState.IDLE:
                    await anyio.sleep(0.01)
        return server


class Desk:
    """Where turns and jobs begin in such a process."""

    def __init__(self, room: Room, in_flight: InFlight, jobs: Jobs) -> None:
        self.room = room
        self.in_flight = in_flight
        self.jobs = jobs

    @property
    def launches(self) -> int:
        return len(recorded_launches(self.room.fake_folder))


@pytest.fixture(params=[1, 2], ids=["once", "twice"])
async def desk(request: pytest.FixtureRequest, open_room: Any) -> AsyncIterator[Desk]:
    async with (
        open_room(idle_seconds=IDLE_SECONDS) as room,
        anyio.create_task_group() as tasks,
    ):
        services = room.services
        servers = StandingStill(services.supervisor, request.param)
        left = LeftRunReplies(services.supervisor, services.settings.runs_dir)
        in_flight = InFlight(servers, left, services.archive, tasks, traces_content=False)
        yield Desk(room, in_flight, Jobs(in_flight, servers, services.archive))
        tasks.cancel_scope.cancel()


async def test_a_chat_is_answered_with_no_word_of_a_failure(desk: Desk) -> None:
    turn = await desk.in_flight.take_turn(ChatRequest(message="hello", owner=LOCAL_OWNER))
    await until(lambda: turn.is_over, "the turn is over")
    reply = await turn.deliver()
    assert (reply.status, reply.reply) == (TurnStatus.COMPLETE, SENTENCE)
    assert any(BACK in note for note in reply.notes)
    assert desk.room.prompts() == ["hello"]
    assert desk.launches in (2, 3)
    # That one has read it, and not the one that was unloaded.
    runs = await desk.room.services.archive.runs_of(turn.session_id)
    assert runs == {turn.serving_id}


async def test_a_chat_whose_schema_is_checked_first_is_answered_too(desk: Desk) -> None:
    request = ChatRequest(message="hello", sampling=Sampling(json_schema=SCHEMA), owner=LOCAL_OWNER)
    desk.room.set_faults(reply='"yes"')
    turn = await desk.in_flight.take_turn(request)
    await until(lambda: turn.is_over, "the turn is over")
    assert (await turn.deliver()).parsed == "yes"


@pytest.mark.parametrize("schema", [None, SCHEMA])
async def test_a_job_asks_all_of_its_questions(
    desk: Desk, tmp_path: Path, schema: dict[str, Any] | None
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.md").write_text(f"This is {name}.")
    desk.room.set_faults(reply='"yes"')
    request = JobRequest(
        instruction="Sum up.",
        files=(str(folder / "*.md"),),
        each=True,
        sampling=Sampling(json_schema=schema),
        owner=LOCAL_OWNER,
    )
    job = await desk.jobs.begin(request, FileBorder((folder,), (), folder))
    await until(lambda: job.is_over, "the job is over")
    reply = await job.deliver()
    assert reply.status is TurnStatus.COMPLETE and reply.job is not None
    assert [result.error for result in reply.job.results] == [None] * 3
    assert await desk.room.services.archive.runs_of(job.session_id) == {job.serving_id}
