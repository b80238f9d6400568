"""One question of a job: a slot, a reply, its check, and what is done when llama-server crashes.

Questions of one job are asked side by side. When llama-server crashes, all of them break off: it is
started again once, and they are asked again one at a time, so that the one which it cannot stand is
found out and the others are not lost with it.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import (
    ModelUnloadedError,
    ReadyServer,
    ReadyServers,
    WantedServer,
)
from llama_mcp.sessions.jobs import FinishedPiece
from llama_mcp.sessions.records import Usage
from llama_mcp.turns import tracing
from llama_mcp.turns.chat_request import Sampling, build_body
from llama_mcp.turns.jobs.questions import Messages
from llama_mcp.turns.json_schema import ParsedReply, parse_reply
from llama_mcp.turns.receiving import why_broken_off
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.second_try import SecondTry
from llama_mcp.turns.slot_queue import Place, SlotQueues

# How long llama-server may load that is started again; as a start has it by default.
LOAD_SECONDS = 600.0


class JobBrokenError(Exception):
    """Nothing more can be asked."""

    def __init__(self, cause: LlamaMCPError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole reply to one question."""

    text: str
    digest: str
    """Of the question."""
    parsed: ParsedReply = field(default_factory=ParsedReply)
    usage: Usage = field(default_factory=Usage)
    was_cut_off: bool = False
    """At the longest length allowed."""


@dataclass(slots=True)
class Asker:
    """Asks the questions of one job."""

    session_id: str
    owner: str
    server: ReadyServer
    """The one that answers now."""
    servers: ReadyServers
    queues: SlotQueues
    on_change: Callable[[], None]
    kept: Mapping[str, FinishedPiece] = field(default_factory=dict)
    """What an earlier job of the same call has, by the digest of the question."""
    notes: list[str] = field(default_factory=list)
    underway: list[PartialReply] = field(default_factory=list)
    reused: int = 0
    """How many questions needed no asking."""
    # Questions that saw a crash. Each is asked again alone, and no new one meanwhile.
    _suspects: int = 0
    _calm: anyio.Event = field(default_factory=anyio.Event)
    _one_at_a_time: anyio.Lock = field(default_factory=anyio.Lock)
    _recovery: anyio.Lock = field(default_factory=anyio.Lock)

    async def count(self, messages: Messages) -> int:
        """Return the tokens of a question, template included.

        Raises:
            LlamaMCPError: llama-server refuses it.
            JobBrokenError: There is no llama-server any more.
        """
        while True:
            server = self.server
            try:
                return await server.count_tokens(self._with_system_prompt(messages))
            except LlamaMCPError as error:
                await self._go_on_after(await server.explain_loss(error), server)

    async def ask(self, messages: Messages, sampling: Sampling) -> Answer:
        """Return the reply, checked against the schema and asked for once more if it misses it.

        Raises:
            LlamaMCPError: This question has no reply.
            JobBrokenError: There is no llama-server any more.
        """
        messages = self._with_system_prompt(messages)
        digest = self._digest(messages, sampling)
        if kept := self.kept.get(digest):
            self.reused += 1
            parsed = await parse_reply(kept.reply, sampling)
            return Answer(kept.reply, digest, parsed, was_cut_off=kept.was_cut_off)
        reply = await self._reply(messages, sampling)
        parsed = await parse_reply(reply.text, sampling)
        second_try = SecondTry(reply, parsed, sampling)
        if second_try.can_help:
            again = second_try.messages(messages)
            problem = await self._receive(self.server, again, sampling, second_try.reply)
            parsed, _ = await second_try.result(problem)
        was_cut_off = reply.finish_reason == "length" and not parsed.is_whole
        return Answer(reply.text, digest, parsed, reply.usage(), was_cut_off)

    async def _reply(self, messages: Messages, sampling: Sampling) -> PartialReply:
        while self._suspects:
            await self._calm.wait()
        server = self.server
        reply, error = await self._attempt(server, messages, sampling)
        while isinstance(error, ModelUnloadedError):  # no question is to blame
            await self._go_on_after(error, server)
            server = self.server
            reply, error = await self._attempt(server, messages, sampling)
        if error is None:
            return reply
        self._suspects += 1
        try:
            async with self._one_at_a_time:
                await self._go_on_after(error, server)
                server = self.server
                reply, error = await self._attempt(server, messages, sampling)
                if error is not None:
                    await self._go_on_after(error, server)
                    raise error
                return reply
        finally:
            self._suspects -= 1
            if not self._suspects:
                self._calm.set()
                self._calm = anyio.Event()

    async def _attempt(
        self, server: ReadyServer, messages: Messages, sampling: Sampling
    ) -> tuple[PartialReply, LlamaMCPError | None]:
        reply = PartialReply(model=server.model, max_tokens=sampling.max_tokens)
        error = await self._receive(server, messages, sampling, reply)
        reply.end()
        return reply, error

    async def _receive(
        self,
        server: ReadyServer,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        reply: PartialReply,
    ) -> LlamaMCPError | None:
        """Receive a reply, and return why it broke off."""
        heard_at = time.monotonic()

        def note(place: Place | None = None) -> None:
            nonlocal heard_at
            reply.take_place(place)
            heard_at = time.monotonic()
            self.on_change()

        async def stream() -> None:
            slots, body = server.total_slots, build_body(messages, sampling)
            queue = self.queues.of(server.serving_id)
            async with queue.slot(self.session_id, slots, note, owner=self.owner, is_piece=True):
                with tracing.span_of_call(self.session_id, server, sampling):
                    async with server.stream_chat(body) as chunks:
                        async for chunk in chunks:
                            reply.take(chunk)
                            note()

        self.underway.append(reply)
        try:
            # Nothing comes while it waits for a slot.
            return await why_broken_off(
                server, stream, lambda: time.monotonic() if reply.queue_place else heard_at
            )
        finally:
            self.underway.remove(reply)

    async def _go_on_after(self, error: LlamaMCPError, server: ReadyServer) -> None:
        """Return when a question that broke off can be asked of another launch of llama-server.

        Raises:
            LlamaMCPError: The error, because llama-server is still the same: the question is to
                blame.
            JobBrokenError: There is none any more, or one with another model.
        """
        async with self._recovery:
            if self.server.serving_id == server.serving_id:
                self.server = await self._ready_again(error)
            if self.server.serving_id == server.serving_id:
                raise error

    async def _ready_again(self, error: LlamaMCPError) -> ReadyServer:
        before = self.server
        wanted = WantedServer(before.model, may_start=False)
        try:
            with anyio.fail_after(LOAD_SECONDS):
                server = await self.servers.ready_server(wanted)
                server = await server.when_ready(lambda _load: None)
        except LlamaMCPError as why:
            raise JobBrokenError(why if error.can_go_on else error) from why
        except TimeoutError as why:
            raise JobBrokenError(error) from why
        if server.model != before.model:
            raise JobBrokenError(error)
        if server.serving_id != before.serving_id:
            self.notes += server.notes or [f"llama-server was started again ({error.situation})"]
        return server

    def _with_system_prompt(self, messages: Messages) -> Messages:
        """Return the question with what its model is told where nobody says anything else."""
        prompt = self.server.system_prompt
        return [{"role": "system", "content": prompt}, *messages] if prompt else messages

    def _digest(self, messages: Messages, sampling: Sampling) -> str:
        asked = [self.server.model, messages, sampling.given()]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]
