"""One job under way: a turn whose reply is made of many.

For callers it is what a turn is: found by its session, followed, waited for, cancelled. It is a
task of the process; a finished piece is in the archive at once, and the whole at the end.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ReadyServer, ReadyServers
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.attachments import SaveTo
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.jobs import (
    JOB_INTERRUPTED,
    FinishedPiece,
    JobState,
    coverage_notes,
)
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from llama_mcp.sessions.texts import clean_text
from llama_mcp.turns.awaited_model import await_model
from llama_mcp.turns.errors import TurnFailedError
from llama_mcp.turns.jobs.asking import Asker, JobBrokenError
from llama_mcp.turns.jobs.room import room_of
from llama_mcp.turns.jobs.saving import content_of, results_text
from llama_mcp.turns.jobs.working import Task, Work
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.replies.reply import ChatReply
from llama_mcp.turns.replies.reply_building import ending_of
from llama_mcp.turns.saving import Written, write_out
from llama_mcp.turns.slot_queue import SlotQueues
from llama_mcp.turns.underway import BUG, Underway

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class JobParts:
    """What one job works with."""

    task: Task
    digest: str
    """By which the same call is known when it is made again."""
    server: ReadyServer
    servers: ReadyServers
    archive: Archive
    queues: SlotQueues
    kept: Sequence[FinishedPiece] = ()
    """What the same call had finished before it was cut off."""
    notes: Sequence[str] = field(default_factory=tuple)


class Job(Underway):
    """A job under way or just over."""

    def __init__(self, parts: JobParts) -> None:
        task, server = parts.task, parts.server
        reply = PartialReply(model=server.model, load=server.load)
        owner = task.request.owner
        of_session = task.session_id, owner, task.turn, reply, parts.archive
        super().__init__(*of_session, parts.notes, server.serving_id)
        self.digest = parts.digest
        self.calls = 0
        """How many calls have begun or joined it."""
        self._request = parts.task.request
        self._parts = parts
        self._written = Written()
        self._result: ChatReply | None = None
        self._asker = Asker(
            *(self.session_id, owner, parts.server, parts.servers, parts.queues),
            on_change=self._note_change,
            kept={piece.digest: piece for piece in parts.kept},
        )
        self._work = Work(parts.task, self._asker, parts.archive, self._note_change)

    @property
    def serving_id(self) -> str:
        """The launch of llama-server that it uses."""
        return self._asker.server.serving_id

    @property
    def is_caught_up(self) -> bool:
        """A job is never read on by another process."""
        return True

    @property
    def value(self) -> float:
        """How many pieces are over, with parts of those under way."""
        return self._work.value()

    @property
    def state(self) -> JobState:
        """How far it is, or what has come of it."""
        return self._work.state()

    def goes_to(self, save_to: SaveTo | None) -> bool:
        """Tell whether its results go where a call of the same wants them."""
        return self._request.save_to == save_to

    async def run(self) -> None:
        """Do the job and archive what comes of it. It is over when this returns or raises."""
        status = TurnStatus.INTERRUPTED
        self._asker.server.note_use()
        try:
            with self._scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._look_for_cancel)
                    status = await self._do()
                    tasks.cancel_scope.cancel()
            status = self._ended_as(status)
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    await self._end(status)
            except Exception:
                # Callers that wait for it must hear of it, and other turns continue.
                logger.exception("Job of session %s has no end", self.session_id)
                self.error = LlamaMCPError(BUG)
            finally:
                self._asker.server.note_use()
                self.following.end()

    async def save(self) -> None:
        """Do nothing: what is finished is saved already."""

    async def deliver(self) -> ChatReply:
        """Return how far it is, or what has come of it.

        Raises:
            TurnFailedError: It failed, and no piece of it has a result.
        """
        if self.is_over and self.error is not None and not self.snapshot().reply:
            raise TurnFailedError(self.session_id, self.number, self.error, "")
        return self.snapshot()

    def snapshot(self) -> ChatReply:
        """Return how far it is, or what has come of it."""
        return self._result or self._reply(TurnStatus.IN_PROGRESS, "", self.state)

    async def _do(self) -> TurnStatus:
        try:
            self._asker.server = await await_model(
                self._parts.server, self._request.sampling, self.reply, self.following.note_change
            )
            await self._work.run(room_of(self._asker.server.slot_ctx_size, self._request.sampling))
        except JobBrokenError as broken:
            self.error = broken.cause
        except LlamaMCPError as error:
            self.error = error
        except Exception:
            # A bug must end this job only, not the server and every other turn.
            logger.exception("Job of session %s failed", self.session_id)
            self.error = LlamaMCPError(BUG)
        return TurnStatus.FAILED if self.error else TurnStatus.COMPLETE

    async def _look_for_cancel(self) -> None:
        while True:
            await anyio.sleep(LOOK_SECONDS)
            self._asker.server.note_use()
            with suppress(ArchiveError):  # what cannot be written at its end it says
                await self._note_run(self.serving_id)
            await self._stop_if_cancelled_elsewhere()

    def _note_change(self) -> None:
        underway = self._asker.underway
        # Every token of every piece counts as a sign of life.
        self.reply.generated += 1
        waiting = [reply.queue_place for reply in underway]
        self.reply.queue_place = waiting[0] if waiting and all(waiting) else None
        self.following.note_change()

    async def _end(self, status: TurnStatus) -> None:
        self.reply.end()
        self.reply.queue_place = self.reply.load = None
        is_complete = status is TurnStatus.COMPLETE
        self._written = await write_out(self._request.save_to, self._content(), status)
        state, text = self.state, ""
        if is_complete:
            text = self._whole_text(state)
        else:
            state = self._work.state_at_break()
            if any(result.error is None for result in state.results):
                text = clean_text(results_text(state.results))
        if self._work.unsaved is not None:
            self._notes.append(f"A piece is not saved: {self._work.unsaved}")
        if status is TurnStatus.INTERRUPTED:
            self.error = LlamaMCPError(JOB_INTERRUPTED)
        result = self._reply(status, text, state)
        error = str(self.error) if self.error else None
        ending = ending_of(result, self.reply.model, error)
        # The error has a place of its own in a transcript.
        notes = [note for note in result.notes if note != error]
        ending = ending.model_copy(update={"notes": (*notes, *coverage_notes(state))})
        unsaved = await self._archived(state, ending)
        if unsaved is not None:
            self._notes.append(f"This result is not saved: {unsaved}")
            result = self._reply(status, text, state)
        self._result = result

    async def _archived(self, state: JobState, ending: TurnEnding) -> ArchiveError | None:
        """Write down the end of the job and of its turn, and return why that could not be."""
        problem = None
        try:
            await self._note_run(self.serving_id)
            await self._archive.end_job(self.session_id, self.number, state)
        except ArchiveError as error:
            problem = error
        # The archive writes this one later if it cannot be written now.
        try:
            await self._archive.end_turn(self.session_id, self.number, ending)
            self.is_saved = True
        except ArchiveError as error:
            return error
        if ending.status is TurnStatus.COMPLETE:
            # Last: killed before, the job is interrupted, and its pieces are all there is of it.
            with suppress(ArchiveError):
                await self._archive.forget_pieces(self.session_id, self.number)
        return problem

    def _content(self) -> str:
        """Return what goes to the file that the caller has named."""
        if self._request.save_to is None:
            return ""
        whole, instruction = self._work.whole, self._request.instruction
        reply, parsed = (whole.text, whole.parsed) if whole else ("", None)
        return content_of(self._request.form, instruction, reply, parsed, self.state)

    def _whole_text(self, state: JobState) -> str:
        whole = self._work.whole
        if state.each:
            return clean_text(results_text(state.results))
        return clean_text(whole.text) if whole else ""

    def _reply(self, status: TurnStatus, text: str, state: JobState) -> ChatReply:
        whole = self._work.whole
        is_complete = status is TurnStatus.COMPLETE
        is_underway = status is TurnStatus.IN_PROGRESS
        return ChatReply(
            session_id=self.session_id,
            turn=self.number,
            status=status,
            place=self.reply.queue_place,
            load=self.reply.load,
            reply=text,
            parsed=whole.parsed if whole and is_complete else None,
            finish_reason="stop" if is_complete else None,
            usage=self._work.usage,
            timing=self.reply.timing(),
            sampling=self._request.sampling.given(),
            save_to=self._request.save_to,
            saved_bytes=self._written.size_bytes,
            notes=self._notes_so_far() if is_underway else self._all_notes(),
            job=state,
        )

    def _notes_so_far(self) -> list[str]:
        return [*self._notes, *self._work.notes]

    def _all_notes(self) -> list[str]:
        error = [str(self.error)] if self.error else []
        return [*self._notes_so_far(), *self._work.counts, *self._written.notes, *error]
