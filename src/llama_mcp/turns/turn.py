"""One turn under way: from a message that is in the archive to a reply that is in it, too.

A turn is a task of the process, not of the request that began it. Callers come and go while
generation continues (following.py). What is received is saved about once a second while it streams,
and whole at the end, however the turn ends. Only then do callers hear that it is over.
"""

import logging
from collections.abc import Sequence

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ModelUnloadedError, ReadyServer, WantedServer
from llama_mcp.llama_server.reply_stream import ReplyLostError
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.records import INTERRUPTED, TurnStatus
from llama_mcp.turns.awaited_model import await_model
from llama_mcp.turns.errors import TurnFailedError
from llama_mcp.turns.generation import Generation
from llama_mcp.turns.going_on.continuation import rest_after_crash
from llama_mcp.turns.json_schema import ParsedReply, parse_reply
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.replies.reply import ChatReply
from llama_mcp.turns.replies.reply_building import TurnFacts, ending_of, reply_from
from llama_mcp.turns.saving import Written, write_out
from llama_mcp.turns.second_try import SecondTry
from llama_mcp.turns.slot_queue import Place
from llama_mcp.turns.turn_parts import TurnParts
from llama_mcp.turns.underway import BUG, STOPPED_ELSEWHERE, Underway, weakly

logger = logging.getLogger(__name__)

SAVE_SECONDS = 1.0


class Turn(Underway):
    """A turn under way or just over."""

    def __init__(self, parts: TurnParts, notes: Sequence[str]) -> None:
        begun, left, server = parts.begun, parts.left, parts.server
        before = left or parts.reopened
        reply = before.reply if before else PartialReply(model=server.model, load=server.load)
        run = server.serving_id
        of_session = begun.session.session_id, begun.owner, begun.turn
        super().__init__(*of_session, reply, parts.archive, notes, run)
        self._sampling = parts.request.sampling
        self._save_to = parts.request.save_to
        self._written = Written()
        self._server = parts.server
        self._servers = parts.servers
        self._saved_tokens = self.reply.generated
        self._parsed = ParsedReply()
        self._result: ChatReply | None = None
        self._is_first_try_over = left is not None and left.is_second_try
        self._generation = Generation(
            parts, self.reply, self.following.note_change, weakly(self.snapshot), self._notes
        )

    @property
    def serving_id(self) -> str:
        """The launch of llama-server that it uses."""
        return self._server.serving_id

    @property
    def is_caught_up(self) -> bool:
        """Whether a reply that is read on has all that had come before, and more is to come."""
        return self.reply.load is not None or self._generation.is_caught_up

    async def run(self) -> None:
        """Generate the reply and archive it. The turn is over when this returns or raises."""
        status = TurnStatus.INTERRUPTED
        self._server.note_use()
        try:
            with self._scope:
                status = await self._generate()
                if status is TurnStatus.COMPLETE:
                    if self._sampling.json_schema is not None:
                        await self.save()  # the check may take seconds
                    # A cancellation leaves this out, and the reply is complete all the same.
                    await self._keep_to_schema()
            status = self._ended_as(status)
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    # Who watches the load may end before the turn does, which then says so.
                    is_ours = self.error is None or self.reply.load is not None
                    is_cut_off = status is TurnStatus.INTERRUPTED and is_ours
                    if not (is_cut_off and await self._leave()):
                        await self._end(status)
            except Exception:
                # Callers that wait for this turn must hear of it, and other turns continue.
                logger.exception("Turn %s of session %s has no end", self.number, self.session_id)
                self.error = LlamaMCPError(BUG)
            finally:
                self._server.note_use()
                self.following.end()
                with anyio.CancelScope(shield=True):
                    await self._generation.close(is_saved=self.is_saved)

    async def deliver(self) -> ChatReply:
        """Return the reply so far, saved: it is kept even if this process is killed right after.

        Raises:
            TurnFailedError: The turn broke off.
        """
        if self.is_over and self.error is not None:
            raise TurnFailedError(self.session_id, self.number, self.error, self.reply.text)
        reply = self.snapshot()
        self._generation.is_told |= reply.status is TurnStatus.IN_PROGRESS
        await self.save()
        await self._generation.note_saved()
        place = reply.place or await self._place_behind_others()
        return reply.model_copy(update={"place": place})

    async def save(self) -> None:
        """Write down what was received so far; a failure becomes a note of the reply."""
        if not self.is_over and self.reply.generated != self._saved_tokens:
            await self._save()

    async def _save(self) -> None:
        self._saved_tokens, point = self.reply.generated, self._generation.point()
        try:
            await self._archive.save_partial(
                self.session_id, self.number, self.reply.text, self.reply.reasoning, point
            )
        except ArchiveError as error:
            self._note_unsaved(error)
        else:
            await self._generation.note_saved(point)

    def snapshot(self) -> ChatReply:
        """Return the reply so far."""
        return self._result or self._reply(TurnStatus.IN_PROGRESS)

    async def _place_behind_others(self) -> Place | None:
        """Return the place in llama-server's own queue, behind turns of other processes."""
        has_been_sent = self.reply.queue_ms is not None and not self.is_over
        if not has_been_sent or self.reply.is_answered:
            return None
        try:
            earlier = await self._archive.earlier_underway(self.session_id, self._server.serving_id)
        except ArchiveError:
            return None
        behind = len(earlier.own) + earlier.others
        is_behind = behind >= self._server.total_slots
        return Place(None, earlier.own, earlier.others) if is_behind else None

    async def _generate(self, second_try: SecondTry | None = None) -> TurnStatus:
        if second_try is None and self._is_first_try_over:
            return TurnStatus.COMPLETE
        status = TurnStatus.FAILED
        generation = self._generation
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._save_regularly)
                run = generation.run_again(second_try) if second_try else self._first_try()
                error = await run
                if error is not None and second_try is None:
                    error = await self._go_on_after(error)
                self.error = error
                tasks.cancel_scope.cancel()
            status = await self._how_it_broke_off() if self.error else TurnStatus.COMPLETE
        except Exception:
            # A bug must end this turn only, not the server and every other turn.
            logger.exception("Turn %s of session %s failed", self.number, self.session_id)
            self.error = LlamaMCPError(BUG)
        return status

    async def _first_try(self) -> LlamaMCPError | None:
        """Generate the reply once the model has loaded; return why it broke off."""
        error = await self._generate_with(self._server)
        while isinstance(error, ModelUnloadedError) and not self.reply.generated:
            try:
                server = await self._servers.ready_server(WantedServer(may_start=False))
            except LlamaMCPError as why:
                return why
            if server.model != self._server.model:
                return error
            self._notes += [note for note in server.notes if note not in self._notes]
            error = await self._generate_with(server)
        return error

    async def _generate_with(self, server: ReadyServer) -> LlamaMCPError | None:
        note_change = self.following.note_change
        try:
            self._server = await await_model(server, self._sampling, self.reply, note_change)
        except LlamaMCPError as error:
            return error
        self._generation.use(self._server)
        await self._note_server()
        return await self._generation.run()

    async def _note_server(self) -> None:
        try:
            await self._note_run(self._server.serving_id)
        except ArchiveError as error:
            self._note_unsaved(error)

    async def _go_on_after(self, broken_off: LlamaMCPError) -> LlamaMCPError | None:
        """Go on with a reply that a crash broke off, where that can be; return what ended it."""
        rest = await rest_after_crash(
            broken_off, self._generation.prompt_with, self.reply, self._server, self._servers
        )
        if rest is None:
            return broken_off
        self._server = rest.server
        self._notes.append(rest.note)
        self.reply.go_on()
        await self._note_server()
        return await self._generation.go_on(rest.server, rest.prompt)

    async def _keep_to_schema(self) -> None:
        self._parsed = await parse_reply(self.reply.text, self._sampling)
        second_try = SecondTry(self.reply, self._parsed, self._sampling)
        # One that was left can be read although its llama-server is over: the keeper has it.
        if second_try.can_help and (self._server.total_slots or self._is_first_try_over):
            await self._generate(second_try)
            problem, self.error = self.error, None
            self._parsed, note = await second_try.result(problem)
            self._notes.append(note)

    async def _save_regularly(self) -> None:
        while True:
            await anyio.sleep(SAVE_SECONDS)
            self._server.note_use()
            await self.save()
            await self._stop_if_cancelled_elsewhere()

    async def _how_it_broke_off(self) -> TurnStatus:
        """Return the status of a reply with an error; one that is no failure is taken back."""
        if isinstance(self.error, ReplyLostError):
            if not self.error.was_unwanted:
                return TurnStatus.INTERRUPTED
            self._notes.append(self.error.situation)
        elif await self._is_cancelled_elsewhere():
            # Who asked has ended the stream itself.
            self._notes.append(STOPPED_ELSEWHERE)
        else:
            return TurnStatus.FAILED
        self.error = None
        return TurnStatus.CANCELLED

    async def _leave(self) -> bool:
        """Leave the turn to whoever asks for it next, where that one can go on with it."""
        if self._generation.stream is not None:
            await self._save()
        return self._generation.can_be_left

    def _note_unsaved(self, error: ArchiveError) -> None:
        note = f"This reply is not saved: {error}"
        if note not in self._notes:
            logger.error("Session %s, turn %s: %s", self.session_id, self.number, error)
            self._notes.append(note)

    async def _end(self, status: TurnStatus) -> None:
        if status is not TurnStatus.COMPLETE:
            await self._generation.stop()
        if status is TurnStatus.INTERRUPTED and self.error is None:
            self._notes.append(INTERRUPTED)
        self.reply.end()
        self._written = await write_out(self._save_to, self.reply.text, status)
        cache_miss = await self._generation.why_recomputed()
        result = self._reply(status, cache_miss)
        ending = ending_of(result, self.reply.model, str(self.error) if self.error else None)
        try:
            await self._archive.end_turn(self.session_id, self.number, ending)
            self.is_saved = True
        except ArchiveError as error:
            self._note_unsaved(error)
            result = self._reply(status, cache_miss)
        self._result = result

    def _reply(self, status: TurnStatus, cache_miss: str | None = None) -> ChatReply:
        facts = TurnFacts(
            session_id=self.session_id,
            turn=self.number,
            status=status,
            parsed=self._parsed,
            sampling=self._sampling.given(),
            context_limit=self._server.slot_ctx_size or None,
            model_ctx_size=self._generation.model_ctx_size,
            why_slow=self._server.why_slow,
            turns_dropped=self._generation.first_turn_in_prompt - 1,
            cache_miss=cache_miss,
            notes=[*self._notes, *self._written.notes, *self._generation.notes],
            has_stop_texts=bool(self._sampling.stop),
            save_to=self._save_to,
            saved_bytes=self._written.size_bytes,
        )
        return reply_from(self.reply, facts)
