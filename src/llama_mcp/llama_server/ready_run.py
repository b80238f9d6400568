"""A run of ours as a turn sees it."""

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import psutil

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.api.chunks import StreamMark
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.fields import count_or_none, member
from llama_mcp.llama_server.api.token_count import count_prompt_tokens
from llama_mcp.llama_server.diagnosis.log import log_size, says_prompt_not_reusable
from llama_mcp.llama_server.diagnosis.slowness import SlowFacts, advise_slow
from llama_mcp.llama_server.engine.command_line import HOST
from llama_mcp.llama_server.errors import CompletionError, LlamaServerLostError
from llama_mcp.llama_server.liveness import wait_until_silent
from llama_mcp.llama_server.ready_server import ModelLoad, ModelUnloadedError, TellLoad
from llama_mcp.llama_server.reply_stream import ReplyStream
from llama_mcp.llama_server.restored_prompt import KeptPrompt
from llama_mcp.llama_server.run_stream import RunStream
from llama_mcp.llama_server.runs.endings import crash_error, launch_facts
from llama_mcp.llama_server.runs.promises import Promise
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.runs.stream_files import StreamFiles
from llama_mcp.llama_server.saved_kv.restoring import Restored, restore_prompt
from llama_mcp.llama_server.status import ServerState

logger = logging.getLogger(__name__)

# A process that has just died is seen at once; its keeper records how within this time.
LOSS_SECONDS = 1.0
LOSS_POLL_SECONDS = 0.02


# Waits for a run that loads, and gives it once it answers.
OnceLoaded = Callable[[TellLoad], Awaitable["ReadyRun"]]


@dataclass(frozen=True, slots=True)
class ReadyRun:
    """A ReadyServer that is a run of ours, proved to be the one that answers once it is ready."""

    run: Run
    client: LlamaServerClient
    slot_ctx_size: int
    total_slots: int
    patience_seconds: float
    """Silence of a reply after which llama-server is asked for a sign of life."""
    read_state: Callable[[Run], Awaitable[RunState]]
    notes: Sequence[str] = field(default=())
    may_go_on: bool = False
    """Whether this process wants its replies to outlive it."""
    load: ModelLoad | None = None
    once_loaded: OnceLoaded | None = None
    """None for one that answers."""
    promise: Promise | None = None
    """Keeps it for the call until a turn, which the archive shows, begins to use it."""

    async def when_ready(self, tell: TellLoad) -> "ReadyRun":
        """Return it once it answers."""
        return self if self.once_loaded is None else await self.once_loaded(tell)

    @property
    def model(self) -> str:
        """The model's name."""
        return self.run.launch.alias

    @property
    def system_prompt(self) -> str | None:
        """What its launch says."""
        return self.run.launch.system_prompt

    @property
    def serving_id(self) -> str:
        """The name of the run's folder."""
        return self.run.folder.name

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of its HTTP API."""
        return HOST, self.run.launch.port

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
        """True: a keeper of ours runs it."""
        return True

    def note_use(self) -> None:
        """Set the time of a file, which the keeper looks at."""
        self.run.note_use()
        if self.promise is not None:
            self.promise.take_back()

    async def open_ahead(self) -> None:
        """Open a connection, unless this process has as many as there are slots."""
        try:
            if self.load is None:
                await self.client.open_ahead(self.total_slots)
        except Exception:
            # It is a task of the process: a bug must not end every turn.
            logger.exception("No connection was opened ahead to run %s", self.run.name)

    async def new_stream_id(self) -> str | None:
        """Return one where this build goes on without a reader, and the keeper looks after it."""
        if not (self.may_go_on and self.run.launch.finish_seconds > 0):
            return None
        # One that loads cannot be asked yet. Who takes over a turn that waits has it sent.
        can_go_on = self.load is not None or await self.client.has_streams()
        return secrets.token_hex(16) if can_go_on else None

    async def open_stream(self, stream_id: str, *, is_told: bool) -> RunStream | None:
        """Register a stream that will begin; None on a full disk."""
        files = StreamFiles(self.run.folder, stream_id)
        try:
            await anyio.to_thread.run_sync(partial(files.register, is_told=is_told))
        except OSError:
            return None
        return RunStream(self.serving_id, files, StreamMark(stream_id), self.client)

    def stream_chat(
        self,
        body: Mapping[str, Any],
        stream: ReplyStream | None = None,
        *,
        session_id: str | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Send a chat request and give the JSON of each chunk as it arrives."""
        return self.client.stream_chat(body, stream.mark if isinstance(stream, RunStream) else None)

    async def count_tokens(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Return the tokens of a chat prompt, template included."""
        self.run.note_use()
        return await count_prompt_tokens(self.client, messages)

    async def sees_pictures(self) -> bool | None:
        """Look at the projector of its launch; one that llama-server fetched itself, ask for."""
        about = self.run.launch.about_model
        if about is not None and (about.vision or self.load is not None):
            return bool(about.vision)
        if self.load is not None:
            return None
        modalities = member(await self.client.get_or_none("/props"), "modalities")
        vision = member(modalities, "vision")
        return vision if isinstance(vision, bool) else None

    async def model_ctx_size(self) -> int | None:
        """Ask /v1/models, which has it among what it knows of the model's file."""
        answer = await self.client.get_or_none("/v1/models")
        models = member(answer, "data")
        model = models[0] if isinstance(models, list) and models else None
        return count_or_none(member(member(model, "meta"), "n_ctx_train")) or None

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

    async def rendered_prompt(self, body: Mapping[str, Any]) -> str | None:
        """Ask /apply-template."""
        try:
            prompt = member(await self.client.post("/apply-template", body), "prompt")
        except CompletionError:
            return None
        return prompt if isinstance(prompt, str) else None

    async def restore_prompt(self, body: Mapping[str, Any], kept: KeptPrompt) -> Restored | None:
        """Look for what the keeper of an earlier run has saved."""
        if self.run.launch.saved_kv is None:
            return None
        return await restore_prompt(
            self.run.launch.saved_kv,
            self.run.folder,
            self.client,
            self.slot_ctx_size,
            body,
            kept,
        )

    async def explain_loss(self, error: LlamaMCPError) -> LlamaMCPError:
        """Return the crash, the unloading or the stop that a lost connection was, if it was one."""
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
            return await anyio.to_thread.run_sync(crash_error, state)
        if state.run.is_unloaded():
            return ModelUnloadedError(self.model)
        return LlamaServerLostError("llama-server was stopped while it replied")

    async def wait_until_silent(self, heard_at: Callable[[], float]) -> LlamaMCPError:
        """Wait until a reply has stopped for good, and return why."""
        return await wait_until_silent(self.run, self.client, self.patience_seconds, heard_at)

    def why_slow(self, tokens_per_second: float) -> str | None:
        """Look at the launch and at the machine's load."""
        return advise_slow(tokens_per_second, self._look_at_speed)

    def _look_at_speed(self) -> SlowFacts:
        launch = self.run.launch
        return SlowFacts(
            model=launch.alias,
            is_embedded=launch.engine.kind == "embedded",
            n_gpu_layers=launch.config.n_gpu_layers,
            model_bytes=launch_facts(launch).model_bytes,
            load=_load(),
            cores=psutil.cpu_count() or 1,
            workers={each.address: each.round_trip_ms for each in launch.rpc_workers},
        )

    def prompt_cache_mark(self) -> int:
        """Return how long the log is."""
        return log_size(self.run.log_path)

    def says_prompt_lost(self, since: int) -> bool:
        """Return whether the log says since then that a prompt cannot be reused."""
        return says_prompt_not_reusable(self.run.log_path, since)


def _load() -> float:
    try:
        return psutil.getloadavg()[0]
    except (OSError, RuntimeError):  # hidden by a sandbox; Windows without performance counters
        return 0.0
