"""The one owner of llama-servers' lives: starting, stopping, and what is known of them.

Each model has a llama-server of its own, and several llama-mcp processes share them, so the truth
is the run folders; this class holds only what is this process's own: its attachment to the runs and
the tasks that watch starts. Starts and stops are serialised across processes by the start lock.

    start   lock, join the one that runs or spawn a keeper, unlock, wait until ready
    stop    lock, refuse while others use it, close our connections, ask the keeper, check the end
    chat    choosing/turn_servers.py
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from anyio.abc import TaskGroup

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.in_use import refuse_while_in_use
from llama_mcp.llama_server.looking import Looks
from llama_mcp.llama_server.ready_server import ANY_SERVER, WantedServer
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.named_states import State, default_state
from llama_mcp.llama_server.runs.run_state import RunState, read_state
from llama_mcp.llama_server.runs.start_lock import StartLock
from llama_mcp.llama_server.starting.launcher import Launcher
from llama_mcp.llama_server.starting.loading import Progress
from llama_mcp.llama_server.starting.watches import Watches
from llama_mcp.llama_server.status import LaunchArguments, ServerConfig, ServerState, ServerStatus
from llama_mcp.llama_server.use import TurnsUnderway
from llama_mcp.settings import LlamaServerSettings

if TYPE_CHECKING:
    from llama_mcp.llama_server.choosing.start_parts import StartParts
    from llama_mcp.llama_server.choosing.turn_servers import TurnServers
    from llama_mcp.llama_server.rank_run import RankRun
    from llama_mcp.llama_server.ready_run import ReadyRun
    from llama_mcp.llama_server.starts import Starts
    from llama_mcp.models.entries.entry import NamedModel
    from llama_mcp.models.fitting import Fits

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
        may_save = settings.kv_disk_mb != 0
        self._lock = StartLock(settings.runs_dir, self.attachment, may_save=may_save)
        self._launcher = Launcher(
            self._lock,
            self.attachment,
            auto_restart=settings.auto_restart,
            several_may_run=settings.max_models > 1,
        )
        self._watches = Watches(self.attachment, self._launcher, tasks)
        self._looks = Looks(settings, environment, self._watches)

    # What only looks or stops does not wait for the import of what starts.
    @cached_property
    def _start_parts(self) -> "StartParts":
        from llama_mcp.llama_server.choosing.room import Room
        from llama_mcp.llama_server.choosing.start_parts import StartParts

        room = Room(self._settings, self.attachment, self._turns_underway)
        known = self._settings, self._environment, self._lock, self._launcher
        return StartParts(*known, self._watches, room)

    @cached_property
    def _starts(self) -> "Starts":
        from llama_mcp.llama_server.starts import Starts

        return Starts(self._start_parts)

    @cached_property
    def _turn_servers(self) -> "TurnServers":
        from llama_mcp.llama_server.choosing.turn_servers import TurnServers

        return TurnServers(self._start_parts, self._on_change)

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
        return await self._looks.beside_others(status, await self.attachment.states())

    async def stop(self, *, force: bool, model: str | None = None) -> ServerStatus:
        """Stop llama-server; one that is stopped already stays so.

        Args:
            force: stop it although it is used.
            model: which one, by its name; `all` for all, which are stopped together or not at all;
                None for the one that was started last, or else runs.

        Returns:
            The status of what was meant, with the models that still run.

        Raises:
            InUseError: others use it, and force is not set.
            StopFailedError: it does not end.
            UnknownModelError, AmbiguousModelError: no model has that name, or several.
        """
        is_all = model is not None and model.casefold() == ALL_MODELS
        async with self._lock.hold() as exclusive:
            states = await self.attachment.states()
            one = None if is_all else await self._looks.meant(states, model)
            idle = ServerState.IDLE  # would come back
            some = [s for s in states if s.is_live or s.pid is not None or s.state is idle]
            # Of one that is over, what it may have left is cleared away.
            meant = (some or states[:1]) if is_all else [one] if one else []
            for state in meant:
                if state.pid is not None and not force:
                    await refuse_while_in_use(state, self.attachment, self._turns_underway)
            await exclusive.end_all([state.run for state in meant], at_once=force)
        self._on_change()
        if one is None:
            return await self.status(None if is_all else model)
        states = await self.attachment.states()
        return await self._looks.status_of(await read_state(one.run), states)

    async def status(self, model: str | None = None) -> ServerStatus:
        """Return what llama-server is doing now.

        Args:
            model: which one, by its name; None for the one that was started last, or else runs.

        Raises:
            UnknownModelError, AmbiguousModelError: no model has that name, or several.
        """
        return await self._looks.status(model)

    async def config(self, model: str | None = None) -> ServerConfig:
        """Return the running server's settings, else those that a start would use now.

        Args:
            model: of which model, as `status`.

        Raises:
            LlamaMCPError: the settings of what runs cannot be read, or no model has that name.
        """
        return await self._looks.config(model)

    async def fits(self) -> "Fits":
        """Return what judges whether models fit, as the settings start them now."""
        return (await self._looks.fits([None]))[0]

    async def available_bytes(self) -> int | None:
        """Return how much memory a model may take; None where that cannot be told."""
        try:
            return (await self.fits()).available.total_bytes
        except (LlamaMCPError, OSError):
            return None

    async def fits_of(self, entries: "Sequence[NamedModel | None]") -> "list[Fits]":
        """Return the same for each of the entries, None for the settings, measured once for all."""
        return await self._looks.fits(entries)

    async def observe(self, model: str | None = None) -> State | None:
        """Return the state of a model's last run, asking no llama-server.

        Args:
            model: as `status`. There may be no run at all, or none of it, which gives None.

        Raises:
            UnknownModelError, AmbiguousModelError: no model has that name, or several.
        """
        return await self._looks.meant(await self.attachment.states(), model)

    async def observe_all(self) -> list[State]:
        """Return the state of the last run of each model, first that of which `observe` tells."""
        states = await self.attachment.states()
        default = default_state(states)
        return [*([default] if default else []), *(each for each in states if each is not default)]

    async def started_models(self) -> list[str]:
        """Return the names of the models that run or ran, that which was started last first."""
        states = await self.attachment.states()
        return [state.run.launch.alias for state in states if isinstance(state, RunState)]

    async def running_models(self) -> list[str]:
        """Return the names of the models that run, or load."""
        states = await self.attachment.states()
        some = [each for each in states if isinstance(each, RunState) and each.is_live]
        return [state.run.launch.alias for state in some]

    async def with_models(self, status: ServerStatus) -> ServerStatus:
        """Return a status of something else with the models that run or are idle here."""
        return await self._looks.with_models(status, await self.attachment.states())

    async def ready_server(self, wanted: WantedServer = ANY_SERVER) -> "ReadyRun":
        """Return a llama-server that takes a turn; TurnServers says which, and what it raises."""
        return await self._turn_servers.ready_server(wanted)

    async def ready_run(self, name: str) -> "ReadyRun | None":
        """Return the run of that name if it is one that answers, with a lease on it."""
        for state in await self.attachment.states():
            if isinstance(state, RunState) and state.run.name == name and state.is_live:
                return await self._turn_servers.ready_run(state)
        return None

    async def rank_server(
        self, *, model: str | None = None, wait_seconds: float = 0.0
    ) -> "RankRun":
        """Return a llama-server whose model ranks; TurnServers says which, and what it raises."""
        return await self._turn_servers.rank_server(model=model, wait_seconds=wait_seconds)

    async def aclose(self) -> None:
        """Close connections and give back the leases; the keepers do the rest."""
        await self.attachment.release_all()
