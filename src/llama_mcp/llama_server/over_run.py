"""A run that is over, as a turn sees it whose reply was left behind."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.errors import NotRunningError
from llama_mcp.llama_server.ready_server import ModelLoad, TellLoad
from llama_mcp.llama_server.reply_stream import ReplyStream
from llama_mcp.llama_server.restored_prompt import KeptPrompt


@dataclass(frozen=True, slots=True)
class OverRun:
    """A ReadyServer that generates nothing any more; what was kept of a stream can be read."""

    serving_id: str
    model: str = ""
    """Empty, as all else, when its records are gone."""
    slot_ctx_size: int = 0
    total_slots: int = 0
    """None of them generates any more."""
    port: int = 0
    notes: Sequence[str] = ()
    load: ModelLoad | None = None
    system_prompt: str | None = None

    async def when_ready(self, tell: TellLoad) -> "OverRun":
        """Return it: there is nothing to wait for."""
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Where it was."""
        return "127.0.0.1", self.port

    @property
    def remarks(self) -> Sequence[str]:
        """Nothing: its log is read by those who look at it."""
        return ()

    @property
    def guesses(self) -> str | None:
        """None: it was started with its window, and counts."""
        return None

    @property
    def is_ours(self) -> bool:
        """True: a keeper of ours ran it."""
        return True

    def note_use(self) -> None:
        """Do nothing: nobody unloads it any more."""

    async def open_ahead(self) -> None:
        """Do nothing: nobody listens any more."""

    async def new_stream_id(self) -> str | None:
        """Return None: there is nothing to generate."""
        return None

    async def open_stream(self, stream_id: str, *, is_told: bool) -> ReplyStream | None:
        """Return None: there is nothing to generate."""
        return None

    def stream_chat(
        self,
        body: Mapping[str, Any],
        stream: ReplyStream | None = None,
        *,
        session_id: str | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Raise that it is over."""
        raise NotRunningError

    async def count_tokens(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Raise that it is over."""
        raise NotRunningError

    async def sees_pictures(self) -> bool | None:
        """Return False: it sees nothing any more."""
        return False

    async def model_ctx_size(self) -> int | None:
        """Return None: nobody can be asked."""
        return None

    async def why_refused(self, body: Mapping[str, Any], timeout_seconds: float) -> str | None:
        """Return None: nobody can be asked."""
        return None

    async def rendered_prompt(self, body: Mapping[str, Any]) -> str | None:
        """Return None: nobody can be asked."""
        return None

    async def restore_prompt(self, body: Mapping[str, Any], kept: KeptPrompt) -> None:
        """Return None: it reads no prompt any more."""

    async def explain_loss(self, error: LlamaMCPError) -> LlamaMCPError:
        """Return the error as it is."""
        return error

    async def wait_until_silent(self, heard_at: Callable[[], float]) -> LlamaMCPError:
        """Wait for ever: what was kept is read at once."""
        await anyio.sleep_forever()
        raise AssertionError

    def why_slow(self, tokens_per_second: float) -> str | None:
        """Return None: it is not known what the machine did then."""
        return None

    def prompt_cache_mark(self) -> int:
        """Return a mark that is never looked for."""
        return 0

    def says_prompt_lost(self, since: int) -> bool:
        """Return False: its log may be gone."""
        return False
