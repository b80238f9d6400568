"""An engine that somebody else runs, as a turn sees it."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.api.fields import member
from llama_mcp.llama_server.ready_server import ModelLoad, TellLoad
from llama_mcp.llama_server.remote.access import Access
from llama_mcp.llama_server.remote.chat import Chat
from llama_mcp.llama_server.remote.counting import count_prompt, counting_of
from llama_mcp.llama_server.remote.errors import RemoteRequestError
from llama_mcp.llama_server.remote.loading import once_loaded
from llama_mcp.llama_server.remote.look import guesses_of
from llama_mcp.llama_server.remote.silence import wait_until_silent
from llama_mcp.llama_server.reply_stream import ReplyStream
from llama_mcp.llama_server.restored_prompt import KeptPrompt


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """A ReadyServer (ready_server.py) that is somebody else's.

    `load` is None, but for a router or llama-server whose model is not loaded yet. `serving_id`
    begins with `remote-` and stays the same as long as URL, model, build and window do; it is no
    run folder's name. `address` is host and port of the URL. `notes` is empty: what it notices
    while it replies is in `remarks`. `new_stream_id` gives None: closing a stream ends its reply.
    """

    access: Access
    patience_seconds: float
    load: ModelLoad | None = None
    remarks: list[str] = field(default_factory=list)
    """What it has noticed of the requests of this turn or job."""
    _heard: list[float] = field(default_factory=lambda: [time.monotonic()])

    async def when_ready(self, tell: TellLoad) -> "RemoteServer":
        """Return it once its model is loaded."""
        if self.load is None:
            return self
        await once_loaded(self.access, tell)
        return replace(self, load=None)

    @property
    def model(self) -> str:
        """The operator's name for it, else the name of its model."""
        return self.access.shown_model

    @property
    def system_prompt(self) -> str | None:
        """What the operator has it told."""
        return self.access.target.system_prompt

    @property
    def serving_id(self) -> str:
        """What identifies engine and model."""
        return self.access.serving_id

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of its URL."""
        return self.access.http.base.host, self.access.http.base.port

    @property
    def slot_ctx_size(self) -> int:
        """The window of each conversation: told, set or guessed."""
        return self.access.window[0]

    @property
    def total_slots(self) -> int:
        """How many turns it is asked for at once."""
        return self.access.slots[0]

    @property
    def notes(self) -> Sequence[str]:
        """Nothing: nobody has started it for this turn."""
        return ()

    @property
    def guesses(self) -> str | None:
        """What of its window and of counts it has not told."""
        window, source = self.access.window
        return guesses_of(window, source, counting_of(self.access))

    @property
    def is_ours(self) -> bool:
        """False: somebody else runs it, and others may use it."""
        return False

    def note_use(self) -> None:
        """Do nothing: whoever runs it knows when to unload it."""

    async def open_ahead(self) -> None:
        """Do nothing: connections are kept for a while."""

    async def new_stream_id(self) -> str | None:
        """Return None: a reply ends with its reader."""
        return None

    async def open_stream(self, stream_id: str, *, is_told: bool) -> ReplyStream | None:
        """Return None: a reply ends with its reader."""
        return None

    def stream_chat(
        self,
        body: Mapping[str, Any],
        stream: ReplyStream | None = None,
        *,
        session_id: str | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Send a chat request and give each chunk, in llama-server's shape."""
        return Chat(self.access, body, session_id, self._take_remark, self._note_life).stream()

    def _take_remark(self, remark: str) -> None:
        if remark not in self.remarks:
            self.remarks.append(remark)

    def _note_life(self) -> None:
        self._heard[0] = time.monotonic()

    async def count_tokens(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Return the tokens of a chat prompt, counted or estimated."""
        return await count_prompt(self.access, messages)

    async def sees_pictures(self) -> bool | None:
        """Return what it tells of that."""
        return self.access.facts.sees_pictures if self.access.facts else None

    async def model_ctx_size(self) -> int | None:
        """Return what it tells of that."""
        return self.access.facts.model_ctx_size if self.access.facts else None

    async def why_refused(self, body: Mapping[str, Any], timeout_seconds: float) -> str | None:
        """Ask /apply-template of a llama-server; others cannot say."""
        try:
            with anyio.fail_after(timeout_seconds):
                await self._applied(body)
        except RemoteRequestError as error:
            return error.problem
        return None

    async def rendered_prompt(self, body: Mapping[str, Any]) -> str | None:
        """Ask /apply-template of a llama-server; others cannot say."""
        try:
            prompt = member(await self._applied(body), "prompt")
        except RemoteRequestError:
            return None
        return prompt if isinstance(prompt, str) else None

    async def _applied(self, body: Mapping[str, Any]) -> Any | None:
        facts = self.access.facts
        if facts is None or facts.kind == "openai":
            return None
        return await self.access.post("/apply-template", body)

    async def restore_prompt(self, body: Mapping[str, Any], kept: KeptPrompt) -> None:
        """Return None: its disk is somebody else's."""

    async def explain_loss(self, error: LlamaMCPError) -> LlamaMCPError:
        """Return the error: it says all that can be seen from here."""
        return error

    async def wait_until_silent(self, heard_at: Callable[[], float]) -> LlamaMCPError:
        """Wait until a reply has stopped for good, and return why."""
        return await wait_until_silent(
            self.access, self.patience_seconds, lambda: max(heard_at(), self._heard[0])
        )

    def why_slow(self, tokens_per_second: float) -> str | None:
        """Return None: its machine is not seen."""
        return None

    def prompt_cache_mark(self) -> int:
        """Return a mark that is never looked for."""
        return 0

    def says_prompt_lost(self, since: int) -> bool:
        """Return False: its log is not seen."""
        return False
