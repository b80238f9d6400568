"""A run of ours as a turn sees it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.token_count import count_prompt_tokens
from llama_mcp.llama_server.diagnosis.log import log_size, says_prompt_not_reusable
from llama_mcp.llama_server.engine.command_line import HOST
from llama_mcp.llama_server.errors import CompletionError, LlamaServerLostError
from llama_mcp.llama_server.liveness import wait_until_silent
from llama_mcp.llama_server.runs.endings import crash_error
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.status import ServerState

# A process that has just died is seen at once; its keeper records how within this time.
LOSS_SECONDS = 1.0
LOSS_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class ReadyRun:
    """A ReadyServer that is a run of ours, proved to be the one that answers."""

    run: Run
    client: LlamaServerClient
    slot_ctx_size: int
    total_slots: int
    patience_seconds: float
    """Silence of a reply after which llama-server is asked for a sign of life."""
    read_state: Callable[[Run], Awaitable[RunState]]
    notes: Sequence[str] = field(default=())

    @property
    def model(self) -> str:
        """The model's name."""
        return self.run.launch.alias

    @property
    def serving_id(self) -> str:
        """The name of the run's folder."""
        return self.run.folder.name

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of its HTTP API."""
        return HOST, self.run.launch.port

    @property
    def n_gpu_layers(self) -> int | None:
        """As launched."""
        return self.run.launch.config.n_gpu_layers

    def stream_chat(
        self, body: Mapping[str, Any]
    ) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Send a chat request and give the JSON of each chunk as it arrives."""
        return self.client.stream_chat(body)

    async def count_tokens(self, messages: Sequence[Mapping[str, str]]) -> int:
        """Return the tokens of a chat prompt, template included."""
        return await count_prompt_tokens(self.client, messages)

    async def why_refused(self, body: Mapping[str, Any], timeout_seconds: float) -> str | None:
        """Ask /apply-template, which makes the same grammar of a schema as a chat does."""
        try:
            with anyio.fail_after(timeout_seconds):
                await self.client.post("/apply-template", body)
        except LlamaServerLostError:
            raise
        except CompletionError as error:
            return error.problem
        return None

    async def explain_loss(self, error: LlamaMCPError) -> LlamaMCPError:
        """Return the crash or the stop that a lost connection was, if it was one."""
        if not isinstance(error, LlamaServerLostError):
            return error
        state = await self.read_state(self.run)
        with anyio.move_on_after(LOSS_SECONDS):
            while state.is_live:
                await anyio.sleep(LOSS_POLL_SECONDS)
                state = await self.read_state(self.run)
        if state.is_live:
            return error
        if state.state is ServerState.CRASHED:
            return crash_error(state)
        return LlamaServerLostError("llama-server was stopped while it replied")

    async def wait_until_silent(self, heard_at: Callable[[], float]) -> LlamaMCPError:
        """Wait until a reply has stopped for good, and return why."""
        return await wait_until_silent(self.run, self.client, self.patience_seconds, heard_at)

    def prompt_cache_mark(self) -> int:
        """Return how long the log is."""
        return log_size(self.run.log_path)

    def says_prompt_lost(self, since: int) -> bool:
        """Return whether the log says since then that a prompt cannot be reused."""
        return says_prompt_not_reusable(self.run.log_path, since)
