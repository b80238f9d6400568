"""What llama-servers are doing, told without changing anything."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread

from llama_mcp.llama_server import status_report
from llama_mcp.llama_server.api.shared_answer import SharedAnswer
from llama_mcp.llama_server.runs.named_states import State, default_state
from llama_mcp.llama_server.runs.run import RunFolder
from llama_mcp.llama_server.runs.run_state import RunState, UnreadableState
from llama_mcp.llama_server.starting.watches import Watches
from llama_mcp.llama_server.status import ModelStatus, ServerConfig, ServerState, ServerStatus
from llama_mcp.llama_server.worker_report import WorkerReport
from llama_mcp.settings import LlamaServerSettings

if TYPE_CHECKING:
    from llama_mcp.models.entries.entry import NamedModel
    from llama_mcp.models.fitting import Fits

# One that got ready while nobody watched is proved within this time.
LOOK_SECONDS = 0.2
# All threads of all processes of a run are looked at for it.
MEMORY_AGE_SECONDS = 0.25


class Looks:
    """Tells what the llama-servers of a home are doing."""

    def __init__(
        self, settings: LlamaServerSettings, environment: Mapping[str, str], watches: Watches
    ) -> None:
        """Take what it looks with.

        Args:
            settings: the operator's.
            environment: what llama-server's environment is built from.
            watches: watch runs that load.
        """
        self._settings = settings
        self._environment = environment
        self._watches = watches
        self._attachment = watches.attachment
        self._workers = WorkerReport(settings.rpc_servers)
        self._memory: SharedAnswer[int | None] = SharedAnswer(MEMORY_AGE_SECONDS)

    async def meant(self, states: Sequence[State], model: str | None) -> State | None:
        """Return the state that a caller means; None without one, as of a model that never ran.

        Args:
            states: the last run of each model.
            model: its name; None for the one that was started last, or else runs.

        Raises:
            UnknownModelError, AmbiguousModelError: no model has that name, or several.
        """
        if model is None:
            return default_state(states)
        # Imported when a model is named: a status does not wait for all that knows models.
        from llama_mcp.llama_server.choosing.meant_run import run_meant
        from llama_mcp.models.library import library_of

        return await run_meant(states, model, library_of(self._settings, self._environment))

    async def status(self, model: str | None = None) -> ServerStatus:
        """Return what llama-server is doing, with all models that run if there are others.

        Args:
            model: as `meant`. Of one that runs, no others are told.

        Raises:
            UnknownModelError, AmbiguousModelError: as `meant`.
        """
        states = await self._attachment.states()
        state = await self.meant(states, model)
        if state is None:
            never = await status_report.never_started(self._settings.runs_dir, model)
            return await self.with_models(await self._with_workers(never, None, states), states)
        return await self.status_of(state, states, is_named=model is not None)

    async def status_of(
        self, state: State, states: Sequence[State], *, is_named: bool = False
    ) -> ServerStatus:
        """Return the status of a run, with all models that run if there are others.

        Args:
            state: of the run.
            states: the last run of each model.
            is_named: it was asked for by its name: then others are told only when it is over.
        """
        difference = ""
        if isinstance(state, RunState) and state.state is ServerState.STARTING:
            # The process that started it may be gone, so this one watches for it to be ready.
            loading = await self._watches.of(state.run)
            await loading.wait(LOOK_SECONDS)
            state, difference = await self._attachment.read_state(state.run), loading.difference
            states = await self._attachment.states()
        if isinstance(state, UnreadableState):
            status = await anyio.to_thread.run_sync(status_report.report_unreadable, state)
        else:
            is_up = state.state is ServerState.READY
            client = await self._attachment.connect(state.run) if is_up else None
            memory_bytes = await self._memory_of(state)
            status = await status_report.report(state, client, memory_bytes, difference)
        status = await self._with_workers(status, state, states)
        if is_named and _is_up(state):
            return status
        return await self.with_models(status, states, but=None if _is_up(state) else state.run)

    async def _with_workers(
        self, status: ServerStatus, state: State | None, states: Sequence[State]
    ) -> ServerStatus:
        """Return the status with the RPC workers of a run, or of the next start."""
        workers = await self._workers.of(state, states)
        return status if workers is None else status.model_copy(update={"workers": workers})

    async def _memory_of(self, state: RunState) -> int | None:
        """Return the memory that a run takes, at most a moment old."""
        if state.pid is None:
            return None
        measure = partial(status_report.measure_memory, state)
        return await self._memory.get((state.run.folder, state.pid), measure)

    async def beside_others(self, status: ServerStatus, states: Sequence[State]) -> ServerStatus:
        """Return the status of a start with its RPC workers, and all models that run.

        Args:
            status: of what was started.
            states: the last run of each model.
        """
        runs = (each for each in states if isinstance(each, RunState))
        own = next((each for each in runs if each.run.launch.alias == status.model), None)
        return await self.with_models(await self._with_workers(status, own, states), states)

    async def with_models(
        self, status: ServerStatus, states: Sequence[State], *, but: RunFolder | None = None
    ) -> ServerStatus:
        """Return the status with all models that run or are idle, if it does not tell of all.

        Args:
            status: of one model.
            states: the last run of each model.
            but: the run that it tells of, where that is over.
        """
        told = [s for s in states if _is_up(s) or s.state is ServerState.IDLE]
        shown = [
            state
            for state in told
            if isinstance(state, RunState) and (but is None or state.run.folder != but.folder)
        ]
        tells_of_one = but is None and status.model in [each.run.launch.alias for each in shown]
        if len(shown) <= tells_of_one:
            return status
        rows = await anyio.to_thread.run_sync(lambda: [*map(status_report.row_of, shown)])
        return status.model_copy(update={"models": rows, "message": _beside(status, rows)})

    async def config(self, model: str | None = None) -> ServerConfig:
        """Return the running server's settings, else those that a start would use now.

        Args:
            model: as `meant`.

        Raises:
            LlamaMCPError: the settings of what runs cannot be read, or no model has that name.
        """
        from llama_mcp.llama_server import config_report  # as in `meant`

        state = await self.meant(await self._attachment.readable_states(), model)
        running = state if isinstance(state, RunState) else None
        return await config_report.report(running, self._settings, self._environment, model)

    async def fits(self, entries: "Sequence[NamedModel | None]") -> "list[Fits]":
        """Return what judges whether models fit, as each of the entries starts them now.

        Args:
            entries: models that the operator has named; None for what the settings say.
        """
        from llama_mcp.llama_server.choosing.fits_now import fits_now  # as in `meant`

        # Where several models may run, what runs makes no room.
        is_only = self._settings.max_models == 1
        states = await self._attachment.states()
        state = default_state(states) if is_only else None
        running = state if isinstance(state, RunState) else None
        others = [] if is_only else states
        return await fits_now(running, self._settings, self._environment, entries, others)


def _is_up(state: State) -> bool:
    return state.is_live or state.pid is not None


def _beside(status: ServerStatus, rows: Sequence[ModelStatus]) -> str:
    """Return the status's sentence where other models run: of none, others need no word."""
    if status.state is not ServerState.STOPPED or status.last_exit or not status.model:
        return status.message
    others = [row.name for row in rows if row.state is not ServerState.IDLE]
    if not others:
        return status.message
    still = f"{', '.join(others)} {'runs' if len(others) == 1 else 'run'}"
    return f"No llama-server runs with {status.model}; {still}."
