"""The work of one job: its pieces planned, asked for side by side, and put together."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from llama_mcp.errors import LlamaMCPError
from llama_mcp.files.border import FileBorder
from llama_mcp.files.named import NamedFile
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.jobs import Coverage, FileResult, FinishedPiece, JobState, LeftOutPart
from llama_mcp.sessions.records import Usage
from llama_mcp.turns.jobs.asking import Answer, Asker
from llama_mcp.turns.jobs.errors import NoResultError
from llama_mcp.turns.jobs.groups import Group, pieces_of, problem_of, result_of
from llama_mcp.turns.jobs.job_request import JobRequest
from llama_mcp.turns.jobs.questions import Part, about_piece
from llama_mcp.turns.jobs.reading import PlannedPiece, Reader, why_of
from llama_mcp.turns.jobs.room import Room
from llama_mcp.turns.jobs.side_by_side import side_by_side
from llama_mcp.turns.jobs.together import Joiner, Whole
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.wording import counted

# So many pieces are cut before they are asked for, for each slot.
AHEAD = 1
# So many parts that were left out are saved with each piece; all of them at the end.
SAVED_LEFT_OUT = 50
# So many files a transcript names.
SHOWN_NAMES = 5


_Item = tuple[Group, int, PlannedPiece]


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done."""

    session_id: str
    turn: int
    request: JobRequest
    files: tuple[NamedFile, ...]
    left_out: tuple[LeftOutPart, ...]
    border: FileBorder


class Work:
    """What one job does, and what has come of it so far."""

    def __init__(
        self, task: Task, asker: Asker, archive: Archive, on_change: Callable[[], None]
    ) -> None:
        self.usage = Usage(prompt_tokens=0, cached_tokens=0, completion_tokens=0)
        self.whole: Whole | None = None
        """The result of a job that has one for all files."""
        self.unsaved: ArchiveError | None = None
        self._task = task
        self._asker = asker
        self._archive = archive
        self._on_change = on_change
        self._reader: Reader | None = None
        self._joiner: Joiner | None = None
        self._room: Room | None = None
        self._open: dict[int, Group] = {}
        """Those that have no result yet."""
        self._results: dict[int, FileResult] = {}
        self._files_read: set[str] = set()
        self._left_out = list(task.left_out)
        self._notes: list[str] = []
        self._planned = self._done = self._read = self._tokens = self._cut_off = 0
        self._is_planned = False
        self._first_failure: str | None = None

    async def run(self, room: Room) -> None:
        """Do it all with the asker's llama-server.

        Raises:
            LlamaMCPError: It has no result.
            JobBrokenError: There is no llama-server any more.
        """
        request = self._task.request
        self._room = room
        self._reader = Reader(request.instruction, self._task.border, room, self._asker)
        self._joiner = Joiner(request.instruction, request.sampling, room, self._asker, self._note)
        await self._reader.prepare(self._task.files[0].name)
        slots = self._asker.server.total_slots
        send, receive = anyio.create_memory_object_stream[_Item](slots * AHEAD)
        async with receive:
            workers = [partial(self._ask_all, receive)] * slots
            await side_by_side([partial(self._plan_all, send), *workers])
        if self.whole is None and all(each.error for each in self._results.values()):
            pieces = self._planned
            raise NoResultError(pieces, self._first_failure or self._why_nothing())

    @property
    def notes(self) -> list[str]:
        """What the caller should know besides, also while it goes on."""
        notes = [*self._notes, *self._asker.notes, *self._asker.server.remarks]
        for part in (self._reader, self._joiner):
            notes += part.notes if part else []
        asked = self._task.request.sampling.max_tokens
        if self._room and asked and asked > self._room.reply:
            notes.append(
                f"max_tokens={asked} was capped to {self._room.reply}: a larger part of the "
                f"window of {self._room.window} would leave too little room for texts."
            )
        return notes

    @property
    def counts(self) -> list[str]:
        """What the caller should know at the end: before, it would be told anew each time."""
        notes = []
        if self._cut_off and self._room:
            replies = counted(self._cut_off, "reply was", "replies were")
            notes.append(
                f"{replies} cut off at {self._room.reply} tokens, the longest length allowed."
            )
        if self._asker.reused:
            pieces = counted(self._asker.reused, "reply", "replies")
            notes.append(f"{pieces} had come before the same call was cut off, and were kept.")
        return notes

    def value(self) -> float:
        """Return how many pieces are over, with the parts of those under way; it mostly rises."""
        return self._done + sum(map(_share, self._asker.underway))

    def state(self) -> JobState:
        """Return how far it is."""
        reader, joiner = self._reader, self._joiner
        is_joining = joiner is not None and joiner.asking and self._done == self._planned
        return JobState(
            each=self._task.request.each,
            named=_named(self._task.files),
            done=self._done,
            planned=self._expected(),
            is_planned=self._is_planned,
            stage=f"putting {joiner.asking} replies together" if is_joining and joiner else "",
            results=tuple(self._results[number] for number in sorted(self._results)),
            coverage=Coverage(
                files=len(self._files_read),
                pieces=self._read,
                tokens=self._tokens,
                left_out=(*self._left_out, *(reader.left_out if reader else ())),
            ),
        )

    def state_at_break(self) -> JobState:
        """Return what has come of a job that broke off, finished pieces without a result too."""
        pieces = [each for number in sorted(self._open) for each in pieces_of(self._open[number])]
        state = self.state()
        return state.model_copy(update={"results": (*state.results, *pieces)})

    def _expected(self) -> int:
        """Return how many pieces there will be, by the sizes of the files until all are cut."""
        if self._is_planned or not self._planned or self._reader is None:
            return max(self._planned, 1)
        # How long the lines are that are meant of a file, nobody knows before.
        whole = (file.size_bytes for file in self._task.files if not file.has_lines)
        bytes_left = sum(whole) - self._reader.characters
        per_piece = max(1.0, self._reader.characters / self._planned)
        return self._planned + max(0, round(bytes_left / per_piece))

    async def _plan(self) -> AsyncIterator[_Item]:
        assert self._reader is not None
        files = self._task.files
        groups = [[file] for file in files] if self._task.request.each else [list(files)]
        for number, of_group in enumerate(groups):
            group = self._open[number] = Group(number, of_group)
            async with aclosing(self._reader.pieces(of_group)) as pieces:
                async for piece in pieces:
                    self._planned += 1
                    group.planned += 1
                    yield group, self._planned, piece
            group.is_cut = True
            self._is_planned = number + 1 == len(groups)
            await self._finish_if_over(group)

    async def _plan_all(self, send: MemoryObjectSendStream[_Item]) -> None:
        async with send:
            async for item in self._plan():
                await send.send(item)

    async def _ask_all(self, receive: MemoryObjectReceiveStream[_Item]) -> None:
        async with receive.clone() as pieces:
            async for group, number, piece in pieces:
                await self._ask(group, number, piece)
                await self._finish_if_over(group)

    async def _ask(self, group: Group, number: int, piece: PlannedPiece) -> None:
        request = self._task.request
        assert self._room is not None
        sampling = self._room.sampling(request.sampling)
        try:
            answer = await self._asker.ask(about_piece(request.instruction, piece.parts), sampling)
            problem = problem_of(answer)
        except LlamaMCPError as error:
            problem = why_of(error)
        group.over += 1
        self._done += 1
        if problem is not None:
            self._first_failure = self._first_failure or problem
            group.failed += [
                LeftOutPart(file=part.file, lines=part.lines, why=problem) for part in piece.parts
            ]
            self._on_change()
            return
        group.answers[number] = piece, answer
        self._read += 1
        self._files_read.update(part.file for part in piece.parts)
        self._tokens += piece.tokens
        finished = FinishedPiece(
            *(0, number, answer.digest, piece.files, piece.lines, answer.text),
            was_cut_off=answer.was_cut_off,
        )
        await self._note(finished, answer)

    async def _finish_if_over(self, group: Group) -> None:
        if not group.is_cut or group.over < group.planned or not group.planned:
            return
        group.over = -1  # once
        if not group.answers:
            self._note_failed(group)
            del self._open[group.number]
            return
        self._left_out += group.failed
        ordered = [group.answers[number] for number in sorted(group.answers)]
        try:
            whole = await self._whole(ordered)
        except LlamaMCPError as error:
            if not self._task.request.each:
                raise
            self._results[group.number] = result_of(group, error=why_of(error))
        else:
            if self._task.request.each:
                self._results[group.number] = result_of(group, whole)
            else:
                self.whole = whole
        del self._open[group.number]
        self._on_change()

    def _note_failed(self, group: Group) -> None:
        if self._task.request.each:
            self._results[group.number] = result_of(group, error=group.failed[0].why)
        else:
            self._left_out += group.failed
        self._on_change()

    async def _whole(self, ordered: Sequence[tuple[PlannedPiece, Answer]]) -> Whole:
        assert self._joiner is not None
        if len(ordered) == 1:
            answer = ordered[0][1]
            return Whole(answer.text, answer.parsed.data)
        parts = [Part(piece.files, piece.lines, answer.text) for piece, answer in ordered]
        return await self._joiner.whole(parts, [answer.parsed.data for _, answer in ordered])

    async def _note(self, finished: FinishedPiece, answer: Answer) -> None:
        self.usage = _sum(self.usage, answer.usage)
        self._cut_off += answer.was_cut_off
        coverage = self.state().coverage
        shown = coverage.model_copy(update={"left_out": coverage.left_out[:SAVED_LEFT_OUT]})
        state = self.state().model_copy(update={"results": (), "coverage": shown})
        try:
            # What has come is kept, also when the job is being cancelled.
            with anyio.CancelScope(shield=True):
                await self._archive.save_piece(
                    self._task.session_id, self._task.turn, finished, state
                )
        except ArchiveError as error:
            self.unsaved = error
        self._on_change()

    def _why_nothing(self) -> str:
        left_out = self.state().coverage.left_out
        return f"{left_out[0].file}: {left_out[0].why}." if left_out else "the files are empty."


def _named(files: Sequence[NamedFile]) -> tuple[str, ...]:
    names = [file.name for file in files[:SHOWN_NAMES]]
    more = len(files) - SHOWN_NAMES
    return (*names, *([f"{more} more"] if more > 0 else []))


def _share(reply: PartialReply) -> float:
    """Return which part of a reply has come, as far as that can be told; always less than 1."""
    read = reply.prompt_processed / reply.prompt_total if reply.prompt_total else 0
    written = min(reply.generated / (reply.max_tokens or 1), 1.0)
    return 0.4 * min(read, 1.0) + 0.5 * written


def _sum(one: Usage, more: Usage) -> Usage:
    counts = {name: (getattr(one, name) or 0) + (count or 0) for name, count in more}
    return Usage(**counts)
