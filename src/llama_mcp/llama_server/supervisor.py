"""The one owner of llama-servers' lives: starting, stopping, and what is known of them.

Each model has a llama-server of its own, and several llama-mcp processes share them, so the truth
is the run folders; this class holds only what is this process's own: its attachment to the runs and
the tasks that watch starts. Starts and stops are serialised across processes by the start lock.

    start   lock, join the one that runs or spawn a keeper, unlock, wait until ready
    stop    lock, refuse while others use it, close our connections, ask the keeper, check the end
    chat    choosing/turn_servers.py
"""

from collections.abc import Callable, Mapping, Sequence

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from llama_mcp.llama_server import config_report, status_report
from llama_mcp.llama_server.choosing.fits_now import fits_now
from llama_mcp.llama_server.choosing.room import Room, TurnsUnderway
from llama_mcp.llama_server.choosing.turn_servers import TurnServers
from llama_mcp.llama_server.in_use import refuse_while_in_use
from llama_mcp.llama_server.rank_run import RankRun
from llama_mcp.llama_server.ready_run import ReadyRun
from llama_mcp.llama_server.ready_server import NO_PATIENCE, Patience
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.named_states import State, default_state, known_state, named_state
from llama_mcp.llama_server.runs.run_state import RunState, UnreadableState
from llama_mcp.llama_server.runs.start_lock import StartLock
from llama_mcp.llama_server.starting.launcher import Launcher
from llama_mcp.llama_server.starting.loading import Progress
from llama_mcp.llama_server.starting.watches import Watches
from llama_mcp.llama_server.starts import Starts
from llama_mcp.llama_server.status import (
    LaunchArguments,
    ServerConfig,
    ServerState,
    ServerStatus,
)
from llama_mcp.models.entries.entry import NamedModel
from llama_mcp.models.errors import ModelsFileError
from llama_mcp.models.fitting import Fits
from llama_mcp.models.named_models import named_in
from llama_mcp.settings import LlamaServerSettings

# One that got ready while nobody watched is proved within this time.
LOOK_SECONDS = 0.2
# What stop_llama_server takes in the place of a model's name.
ALL_MODELS = "all"


class Supervisor:
    """This process's part in the llama-servers of its home folder."""

    def __init__(
        self,
        settings: LlamaServerSettings,
        environment: Mapping[str, str],
        tasks: TaskGroup,
        *,
        turns_underway: TurnsUnderway,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what it works with.

        Args:
            settings: the operator's.
            environment: what llama-server's environment is built from.
            tasks: where starts are watched.
            turns_underway: returns the turns that are not over, of all processes.
            on_change: called when this process has launched or ended llama-server.
        """
        self._settings = settings
        self._environment = environment
        self._turns_underway = turns_underway
        self._on_change = on_change
        self.attachment = Attachment(settings.runs_dir)
        self._lock = StartLock(settings.runs_dir, self.attachment)
        launcher = Launcher(
            self._lock,
            self.attachment,
            auto_restart=settings.auto_restart,
            may_change_port=settings.max_models > 1,
        )
        self._watches = Watches(self.attachment, launcher, tasks)
        room = Room(settings, self.attachment, turns_underway)
        self._starts = Starts(settings, environment, self._lock, launcher, self._watches, room)
        self._turn_servers = TurnServers(
            *(settings, environment, self._lock, launcher, self._watches, room),
            on_change,
        )

    async def start(
        self,
        arguments: LaunchArguments,
        *,
        replace: bool,
        wait_seconds: float,
        timeout_seconds: float,
        progress: Progress,
    ) -> ServerStatus:
        """Start llama-server, or join one that runs; Starts says how, and what it raises."""
        try:
            status = await self._starts.start(
                arguments,
                replace=replace,
                wait_seconds=wait_seconds,
                timeout_seconds=timeout_seconds,
                progress=progress,
                on_launch=self._on_change,
            )
        finally:
            self._on_change()
        return await self._with_models(status)

    async def stop(self, *, force: bool, model: str | None = None) -> ServerStatus:
        """Stop llama-server; one that is stopped already stays so.

        Args:
            force: stop it although it is used.
            model: which one, by its name; `all` for all; None for the one that was started last.

        Raises:
            InUseError: others use it, and force is not set.
            StopFailedError: it does not end.
            UnknownModelError, AmbiguousModelError: that model has none.
        """
        async with self._lock.hold() as exclusive:
            states = await self.attachment.states()
            meant = _meant_to_stop(states, model, is_entry=await self._is_entry(model))
            for state in meant:
                if state.pid is not None and not force:
                    await refuse_while_in_use(state, self.attachment, self._turns_underway)
            for state in meant:
                await exclusive.end(state.run, at_once=force)
        self._on_change()
        return await self.status(model if model != ALL_MODELS else None)

    async def status(self, model: str | None = None) -> ServerStatus:
        """Return what llama-server is doing now.

        Args:
            model: which one, by its name; None for the one that was started last.

        Raises:
            UnknownModelError, AmbiguousModelError: that model has none.
        """
        state = await self.observe(model)
        if state is None:
            return await status_report.never_started(self._settings.runs_dir)
        if isinstance(state, UnreadableState):
            return await anyio.to_thread.run_sync(status_report.report_unreadable, state)
        difference = ""
        if state.state is ServerState.STARTING:
            # The process that started it may be gone, so this one watches for it to be ready.
            loading = await self._watches.of(state.run)
            await loading.wait(LOOK_SECONDS)
            state, difference = await self.attachment.read_state(state.run), loading.difference
        is_up = state.state is ServerState.READY
        client = await self.attachment.connect(state.run) if is_up else None
        status = await status_report.report(state, client, difference)
        return status if model else await self._with_models(status)

    async def config(self, model: str | None = None) -> ServerConfig:
        """Return the running server's settings, else those that a start would use now.

        Args:
            model: of which model, by its name; None for the one that was started last.

        Raises:
            LlamaMCPError: the settings of what runs cannot be read, or no model has that name.
        """
        states = await self.attachment.readable_states()
        is_entry = await self._is_entry(model)
        state = named_state(states, model, is_whole=is_entry) if model else default_state(states)
        running = state if isinstance(state, RunState) else None
        return await config_report.report(running, self._settings, self._environment, model)

    async def fits(self, entry: NamedModel | None = None) -> Fits:
        """Return what judges whether models fit, as the settings, or an entry, start them now."""
        # Where several models may run, what runs makes no room.
        state = await self.observe() if self._settings.max_models == 1 else None
        running = state if isinstance(state, RunState) else None
        return await fits_now(running, self._settings, self._environment, entry)

    async def observe(self, model: str | None = None) -> State | None:
        """Return the state of a model's last run, asking no llama-server.

        Args:
            model: the model's name; None for the one that was started last, or runs. There may be
                none at all, which gives None.

        Raises:
            UnknownModelError, AmbiguousModelError: that model has none.
        """
        states = await self.attachment.states()
        is_entry = await self._is_entry(model)
        return known_state(states, model, is_whole=is_entry) if model else default_state(states)

    async def observe_all(self) -> list[State]:
        """Return the state of the last run of each model, that which was started last first."""
        return await self.attachment.states()

    async def ready_server(
        self,
        *,
        may_start: bool = True,
        model: str | None = None,
        usual_model: str | None = None,
        patience: Patience = NO_PATIENCE,
    ) -> ReadyRun:
        """Return a llama-server that takes a turn; TurnServers says which, and what it raises."""
        return await self._turn_servers.ready_server(
            may_start=may_start, model=model, usual_model=usual_model, patience=patience
        )

    async def ready_run(self, name: str) -> ReadyRun | None:
        """Return the run of that name if it is one that answers, with a lease on it."""
        for state in await self.attachment.states():
            if isinstance(state, RunState) and state.run.name == name and state.is_live:
                model = state.run.launch.alias
                server = await self.ready_server(may_start=False, model=model)
                return server if server.serving_id == name else None
        return None

    async def rank_server(self, *, model: str | None = None, wait_seconds: float = 0.0) -> RankRun:
        """Return a llama-server whose model ranks; TurnServers says which, and what it raises."""
        return await self._turn_servers.rank_server(model=model, wait_seconds=wait_seconds)

    async def aclose(self) -> None:
        """Close connections and give back the leases; the keepers do the rest."""
        await self.attachment.release_all()

    async def _is_entry(self, model: str | None) -> bool:
        """Tell whether a name is that of a model of the operator's file, whether it runs or not."""
        if not model:
            return False
        entries = named_in(self._settings.models)
        try:
            return await anyio.to_thread.run_sync(entries.exactly, model) is not None
        except ModelsFileError:  # what runs can be named all the same
            return False

    async def _with_models(self, status: ServerStatus) -> ServerStatus:
        """Return the status with all models that run, if there are several."""
        states = [s for s in await self.attachment.states() if isinstance(s, RunState)]
        shown = [state for state in states if state.is_live or state.pid is not None]
        if len(shown) < 2:
            return status
        rows = await anyio.to_thread.run_sync(lambda: [*map(status_report.row_of, shown)])
        return status.model_copy(update={"models": rows})


def _meant_to_stop(states: Sequence[State], model: str | None, *, is_entry: bool) -> list[State]:
    if model is None:
        default = default_state(states)
        return [default] if default is not None else []
    if model.casefold() == ALL_MODELS:
        idle = ServerState.IDLE  # would come back
        return [s for s in states if s.is_live or s.pid is not None or s.state is idle]
    return [known_state(states, model, is_whole=is_entry)]
