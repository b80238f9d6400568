"""Jobs over real files, with everything that a turn has (tests/turns/conftest.py)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.files.border import FileBorder
from llama_mcp.turns.chat_request import Sampling
from llama_mcp.turns.jobs.beginning import Jobs
from llama_mcp.turns.jobs.job import Job
from llama_mcp.turns.jobs.job_request import JobRequest
from llama_mcp.turns.replies.reply import ChatReply
from tests.support.processes import until
from tests.turns.conftest import Room

PROSE = "It was a quiet day. Nobody said a word, and the river went on.\n"


@dataclass
class Desk:
    """Begins jobs over the files of a folder."""

    room: Room
    folder: Path

    @property
    def border(self) -> FileBorder:
        return FileBorder((self.folder,), (self.folder,), self.folder)

    def write(self, **texts: str) -> None:
        """Write files; `a_md` is called a.md."""
        for name, text in texts.items():
            (self.folder / name.replace("_", ".")).write_text(text, encoding="utf-8")

    async def begin(self, *files: str, instruction: str = "Sum it up.", **asked: Any) -> Job:
        names = Sampling.model_fields.keys() & asked.keys()
        sampling = Sampling(**{name: asked.pop(name) for name in names})
        request = JobRequest(
            instruction=instruction, owner=LOCAL_OWNER, files=files, sampling=sampling, **asked
        )
        own = self.room.services
        jobs = Jobs(own.in_flight, own.supervisor, own.archive)
        return await jobs.begin(request, self.border)

    async def complete(self, *files: str, **asked: Any) -> ChatReply:
        job = await self.begin(*files, **asked)
        await until(lambda: job.is_over, "the job is over")
        return await job.deliver()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def desk(room: Room, folder: Path) -> Desk:
    """A desk whose llama-server is ready: 4 slots with 4096 tokens each, of 4 characters."""
    return Desk(room, folder)


@pytest.fixture
def desk_in(folder: Path) -> Callable[[Room], Desk]:
    return lambda room: Desk(room, folder)
