"""A run that serves, as a turn gets it: proved to be what answers, or waited for while it loads."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server import liveness
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.errors import NotStartedForTurnError, StillLoadingError
from llama_mcp.llama_server.ready_run import OnceLoaded, ReadyRun
from llama_mcp.llama_server.ready_server import ModelLoad, ModelUnloadedError, TellLoad
from llama_mcp.llama_server.runs import endings
from llama_mcp.llama_server.runs.promises import Promise
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.starting import proof
from llama_mcp.llama_server.starting.loading import Loading
from llama_mcp.llama_server.starting.watches import Watches
from llama_mcp.llama_server.status import ServerState
from llama_mcp.settings import LlamaServerSettings

# How long one that was found silent may take to generate a token again.
RECOVERY_SECONDS = 3.0


class ServingRuns:
    """Makes ReadyRuns of runs on which this process holds a lease."""

    def __init__(self, settings: LlamaServerSettings, watches: Watches) -> None:
        self._settings = settings
        self._watches = watches
        self._attachment = watches.attachment

    async def of(
        self, state: RunState, notes: Sequence[str], promise: Promise | None = None
    ) -> ReadyRun:
        """Return the run for a turn.

        Args:
            state: its state.
            notes: for the turn's caller.
            promise: keeps it until the turn shows that it is used; taken back when this fails.

        Raises:
            LlamaMCPError: it does not answer, or what answers is not it.
        """
        server: ReadyRun | None = None
        try:
            server = await self._ready_or_loading(state, notes)
        finally:
            if server is None and promise is not None:
                promise.take_back()
        return replace(server, promise=promise)

    async def _ready_or_loading(self, state: RunState, notes: Sequence[str]) -> ReadyRun:
        if state.state in (ServerState.READY, ServerState.UNRESPONSIVE):
            return await self._answering(state, notes)
        loading = await self._watches.of(state.run)
        # A turn wants it from now on, whatever becomes of the call that has started it.
        loading.is_left_to_go_on = True
        return await self._describe(
            state, notes, _how_far(loading), partial(self._once_loaded, loading, notes)
        )

    async def _once_loaded(
        self, loading: Loading, notes: Sequence[str], tell: TellLoad
    ) -> ReadyRun:
        """Wait for the run as long as it loads, and return it once it answers."""

        async def report(seconds: float, line: str) -> None:
            tell(ModelLoad(seconds, line))

        await loading.wait_reporting(math.inf, report)
        state = await self._attachment.read_state(loading.run)
        if state.state is ServerState.STARTING:
            raise StillLoadingError(state.run.launch.age_seconds)
        if not state.is_live:
            raise await anyio.to_thread.run_sync(_why_not_ready, state)
        return await self._answering(state, notes)

    async def _answering(self, state: RunState, notes: Sequence[str]) -> ReadyRun:
        """Return a run that was ready, once it has shown that it answers and is ours."""
        server = await self._describe(state, notes)
        if state.state is ServerState.UNRESPONSIVE:
            await liveness.check_alive(state.run, server.client, RECOVERY_SECONDS, {})
        await self._prove(state.run, server.client)
        return server

    async def _prove(self, run: Run, client: LlamaServerClient) -> None:
        """Check once for each connection that it leads to the llama-server that was started."""
        if not self._attachment.is_proved(run):
            await proof.check(run, client)
            self._attachment.note_proof(run, client)

    async def _describe(
        self,
        state: RunState,
        notes: Sequence[str],
        load: ModelLoad | None = None,
        once_loaded: OnceLoaded | None = None,
    ) -> ReadyRun:
        return ReadyRun(
            run=state.run,
            client=await self._attachment.connect(state.run),
            slot_ctx_size=state.slot_ctx_size,
            total_slots=state.total_slots,
            patience_seconds=self._settings.unresponsive_seconds,
            read_state=self._attachment.read_state,
            notes=notes,
            may_go_on=self._settings.finish_seconds > 0,
            load=load,
            once_loaded=once_loaded,
        )


def _how_far(loading: Loading) -> ModelLoad:
    return ModelLoad(*loading.describe())


def _why_not_ready(state: RunState) -> LlamaMCPError:
    if state.run.is_unloaded():
        return ModelUnloadedError(state.run.launch.alias)
    if state.was_ready:
        return endings.crash_error(state)
    return NotStartedForTurnError(endings.start_error(state))
