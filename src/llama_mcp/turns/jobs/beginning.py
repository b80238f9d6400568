"""A job begun: what can be known beforehand is checked, then it is in the archive and starts."""

from functools import partial

import anyio
import anyio.to_thread

from llama_mcp.files.border import FileBorder
from llama_mcp.files.finding import find
from llama_mcp.files.named import FileKind, Found, NamedFile
from llama_mcp.llama_server.ready_server import ReadyServer, ReadyServers, TellWait
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.attachments import SaveTo
from llama_mcp.sessions.jobs import Coverage, JobState, LeftOutPart
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.checked_server import server_for_job
from llama_mcp.turns.in_flight import InFlight
from llama_mcp.turns.jobs.errors import NothingToReadError
from llama_mcp.turns.jobs.job import Job, JobParts
from llama_mcp.turns.jobs.job_request import JobRequest
from llama_mcp.turns.jobs.reading import EMPTY, PICTURE
from llama_mcp.turns.jobs.working import Task
from llama_mcp.turns.json_schema import with_schema_read


class Jobs:
    """Begins the jobs of this process."""

    def __init__(self, in_flight: InFlight, servers: ReadyServers, archive: Archive) -> None:
        self._in_flight = in_flight
        self._servers = servers
        self._archive = archive

    async def begin(
        self, request: JobRequest, border: FileBorder, tell_wait: TellWait | None = None
    ) -> Job:
        """Begin a job, or return the one of the same call that is under way.

        Raises:
            LlamaMCPError: One of its kinds; nothing was archived then.
        """
        request.check()
        digest = request.digest()
        if same := self._underway(digest, request.save_to):
            return same
        async with self._in_flight.admission.beginning(request.owner, request.limits):
            return await self._begin(request, border, digest, tell_wait)

    async def _begin(
        self, request: JobRequest, border: FileBorder, digest: str, tell_wait: TellWait | None
    ) -> Job:
        sampling, notes = await _checked(request)
        # Abandoned with the call: a folder on a network may hang.
        found = await anyio.to_thread.run_sync(
            partial(find, request.files, border, strict=False), abandon_on_cancel=True
        )
        without_text = [(file.name, why) for file in found.files if (why := _why_no_text(file))]
        if len(without_text) == len(found.files):
            raise NothingToReadError(
                [*((each.name, each.why) for each in found.left_out), *without_text]
            )
        server = await server_for_job(sampling, request, self._servers, tell_wait)
        kept = await self._archive.pieces_left(digest, owner=request.owner)
        if same := self._underway(digest, request.save_to):  # begun meanwhile
            return same
        with anyio.CancelScope(shield=True):
            task = await self._begun(request, sampling, found, border, digest, server)
        notice = self._archive.notice()
        job = Job(
            JobParts(
                *(task, digest, server, self._servers, self._archive),
                queues=self._in_flight.queues,
                kept=kept,
                notes=[*server.notes, *notes, *([notice] if notice else [])],
            )
        )
        self._in_flight.start(job)
        return job

    def _underway(self, digest: str, save_to: SaveTo | None) -> Job | None:
        turns = self._in_flight.open_turns()
        jobs = (turn for turn in turns if isinstance(turn, Job) and turn.digest == digest)
        return next((job for job in jobs if job.goes_to(save_to)), None)

    async def _begun(
        self,
        request: JobRequest,
        sampling: Sampling,
        found: Found,
        border: FileBorder,
        digest: str,
        server: ReadyServer,
    ) -> Task:
        left_out = tuple(LeftOutPart(file=each.name, why=each.why) for each in found.left_out)
        begun = await self._archive.begin_turn(
            None,
            request.instruction,
            owner=request.owner,
            model=server.model,
            run=server.serving_id,
            sampling=sampling.given(),
            save_to=request.save_to,
        )
        session_id = begun.session.session_id
        state = JobState(each=request.each, coverage=Coverage(left_out=left_out))
        await self._archive.begin_job(session_id, begun.turn, digest, state)
        request = request.with_sampling(sampling)
        return Task(session_id, begun.turn, request, found.files, left_out, border)


def _why_no_text(file: NamedFile) -> str | None:
    if file.kind is FileKind.PICTURE:
        return PICTURE
    return None if file.size_bytes else EMPTY


async def _checked(request: JobRequest) -> tuple[Sampling, list[str]]:
    """Return the sampling with the schema that json_schema means, and notes about it."""
    as_chat = ChatRequest(
        message=request.instruction, owner=request.owner, sampling=request.sampling
    )
    read, notes = await with_schema_read(as_chat)
    return read.sampling, list(notes)
