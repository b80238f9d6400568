"""Jobs over files with an engine that somebody else runs, which may not even count."""

from pathlib import Path
from typing import Any

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.files.border import FileBorder
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.jobs.beginning import Jobs
from llama_mcp.turns.jobs.job import Job
from llama_mcp.turns.jobs.job_request import JobRequest
from tests.fake_openai_server.engine import FakeEngine, count
from tests.support.processes import until
from tests.turns.remote_rooms import RemoteRoom, remote_room

PROSE = "It was a quiet day. Nobody said a word, and the river went on.\n"


async def job_over(room: RemoteRoom, folder: Path, **asked: Any) -> Job:
    request = JobRequest(instruction="Sum it up.", owner=LOCAL_OWNER, files=["*.md"], **asked)
    jobs = Jobs(room.in_flight, room.servers, room.services.archive)
    job = await jobs.begin(request, FileBorder((folder,), (folder,), folder))
    await until(lambda: job.is_over, "the job is over")
    return job


def project(folder: Path) -> Path:
    folder = folder / "project"
    folder.mkdir()
    (folder / "long.md").write_text(PROSE * 400)
    return folder


async def test_a_long_file_is_read_in_pieces_that_fit_although_they_are_estimated(
    tmp_path: Path,
) -> None:
    fake = FakeEngine("ollama", window=2000)
    async with remote_room(tmp_path, fake, ctx_size=2000) as room:
        reply = await (await job_over(room, project(tmp_path))).deliver()
    assert reply.status is TurnStatus.COMPLETE
    assert len(fake.chats()) > 4
    assert all(count(one.body["messages"]) < 2000 for one in fake.chats())


async def test_a_window_that_is_smaller_than_set_breaks_the_job_off_and_is_known_then(
    tmp_path: Path,
) -> None:
    fake = FakeEngine("plain", window=2000)
    folder = project(tmp_path)
    async with remote_room(tmp_path, fake, ctx_size=20_000) as room:
        # The first look takes it for one that tells nothing.
        await room.servers.engine.ready_server()
        fake.behaves_as = "vllm"
        job = await job_over(room, folder)
        assert "the window is taken to be 2000 tokens" in str(job.error)
        assert len(fake.chats()) == 1
        reply = await (await job_over(room, folder)).deliver()
    assert reply.status is TurnStatus.COMPLETE
