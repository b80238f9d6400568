"""The one owner of llama-server's life: starting, stopping, and what is known of it.

There is one llama-server per home folder. Several llama-mcp processes share it, so the truth is
the run folder; this class holds only what is this process's own: its attachment to the run and the
task that watches a start. Starts and stops are serialised across processes by the start lock.

    start   lock, join the one that runs or spawn a keeper, unlock, wait until ready
    stop    lock, refuse while others use it, close our connections, ask the keeper, check the end
    chat    turn_servers.py
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server import config_report, status_report
from llama_mcp.llama_server.errors import (
    InUseError,
    ReplaceFailedError,
    StartInterruptedError,
)
from llama_mcp.llama_server.fits_now import fits_now
from llama_mcp.llama_server.rank_run import RankRun
from llama_mcp.llama_server.ready_run import ReadyRun
from llama_mcp.llama_server.runs import endings
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.run import Run, UnreadableRun
from llama_mcp.llama_server.runs.run_state import RunState, UnreadableState
from llama_mcp.llama_server.runs.start_lock import Exclusive, StartLock
from llama_mcp.llama_server.starting.launcher import Launcher, refusal_to_join
from llama_mcp.llama_server.starting.loading import Loading, Progress
from llama_mcp.llama_server.starting.preparation import Preparation, prepare
from llama_mcp.llama_server.starting.watches import Watches
from llama_mcp.llama_server.status import LaunchArguments, ServerConfig, ServerState, ServerStatus
from llama_mcp.llama_server.turn_servers import TurnServers
from llama_mcp.llama_server.use import Use
from llama_mcp.models.fitting import Fits
from llama_mcp.settings import LlamaServerSettings
from llama_mcp.wording import counted

# The slot of a reply that was just cancelled is free within this time.
FREED_SECONDS = 1.0
FREED_POLL_SECONDS = 0.05
# One that got ready while nobody watched is proved within this time.
LOOK_SECONDS = 0.2


class Supervisor:
    """This process's part in the llama-server of its home folder."""

    def __init__(
        self,
        settings: LlamaServerSettings,
        environment: Mapping[str, str],
        tasks: TaskGroup,
        *,
        turns_underway: Callable[[], Awaitable[Sequence[Use]]],
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
        self._launcher = Launcher(self._lock, self.attachment, auto_restart=settings.auto_restart)
        self._watches = Watches(self.attachment, self._launcher, tasks)
        self._turn_servers = TurnServers(
            settings, environment, self._lock, self._launcher, self._watches, on_change
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
        """Start llama-server, or join one that runs with the same settings.

        Args:
            arguments: what the call asks for.
            replace: stop one that runs with other settings; it is started again when the new one
                does not start.
            wait_seconds: how long to wait for it; loading goes on afterwards.
            timeout_seconds: after so long without being ready it is stopped.
            progress: called while it loads.

        Returns:
            Its status: ready, or starting when the wait was over first.

        Raises:
            LlamaMCPError: what was asked cannot be, or it ended while loading.
        """
        preparation = await prepare(self._settings, self._environment, arguments)
        # Shielded: a cancel between launch and watch would leave a keeper that nobody watches.
        async with self._lock.hold() as exclusive:
            with anyio.CancelScope(shield=True):
                loading, is_new = await self._join_or_launch(
                    exclusive, preparation, replace, timeout_seconds
                )
        self._on_change()
        loading.waiters += 1
        try:
            await loading.wait_reporting(wait_seconds, progress)
            loading.is_left_to_go_on = True
        finally:
            loading.waiters -= 1
            if not (loading.waiters or loading.is_over or loading.is_left_to_go_on):
                loading.is_taken_back = True
                await self._launcher.abandon(loading.run)
            self._on_change()
        state = await self.attachment.read_state(loading.run)
        if not state.is_live:
            raise await anyio.to_thread.run_sync(self._start_error, state, loading)
        client = await self.attachment.connect(state.run)
        status = await status_report.report(state, client, loading.difference)
        return status.model_copy(update={"already_running": not is_new})

    async def stop(self, *, force: bool) -> ServerStatus:
        """Stop llama-server; one that is stopped already stays so.

        Raises:
            InUseError: others use it, and force is not set.
            StopFailedError: it does not end.
        """
        async with self._lock.hold() as exclusive:
            state = await self.attachment.current_state()
            if state is not None:
                if state.pid is not None and not force:
                    await self._refuse_while_in_use(state)
                await exclusive.end(state.run, at_once=force)
        self._on_change()
        return await self.status()

    async def status(self) -> ServerStatus:
        """Return what llama-server is doing now."""
        state = await self.attachment.current_state()
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
        return await status_report.report(state, client, difference)

    async def config(self) -> ServerConfig:
        """Return the running server's settings, else those that a start would use now.

        Raises:
            LlamaMCPError: the settings of what runs cannot be read.
        """
        state = await self.attachment.readable_state()
        return await config_report.report(state, self._settings, self._environment)

    async def fits(self) -> Fits:
        """Return what judges whether models fit, as the settings would start them now."""
        state = await self.attachment.current_state()
        running = state if isinstance(state, RunState) else None
        return await fits_now(running, self._settings, self._environment)

    async def observe(self) -> RunState | UnreadableState | None:
        """Return the state of the run that counts, asking no llama-server; None without one."""
        return await self.attachment.current_state()

    async def ready_server(self, *, may_start: bool = True, model: str | None = None) -> ReadyRun:
        """Return a llama-server that takes a turn; TurnServers says which, and what it raises."""
        return await self._turn_servers.ready_server(may_start=may_start, model=model)

    async def rank_server(self, *, model: str | None = None) -> RankRun:
        """Return a llama-server whose model ranks; TurnServers says which, and what it raises."""
        return await self._turn_servers.rank_server(model=model)

    async def aclose(self) -> None:
        """Close connections and give back the lease; the keeper does the rest."""
        await self.attachment.release()

    async def _join_or_launch(
        self, exclusive: Exclusive, preparation: Preparation, replace: bool, timeout_seconds: float
    ) -> tuple[Loading, bool]:
        """Return the watch over the run to wait for, and whether it is a new run."""
        state = await self.attachment.current_state()
        replaced: Run | UnreadableRun | None = None
        # Without a record no keeper came: a process that is bringing one would hold the lock.
        if state is not None and state.is_live and state.keeper is not None:
            refusal = refusal_to_join(state, preparation.config)
            if refusal is None and isinstance(state, RunState):
                # One that is ending is waited for, and then launched again.
                if await self.attachment.join(state.run):
                    return await self._watches.of(state.run), False
            elif refusal is not None and not replace:
                raise refusal
            else:
                await self._refuse_while_in_use(state)
                replaced = state.run
        if state is not None:
            await exclusive.end(state.run)
        run = await self._launcher.launch(exclusive, preparation, replaced)
        loading = await self._watches.of(run)
        loading.own_start(timeout_seconds, replaced.launch if isinstance(replaced, Run) else None)
        return loading, True

    async def _refuse_while_in_use(self, state: RunState | UnreadableState) -> None:
        generating = await self._turns_underway()
        busy = {use.pid for use in generating}
        idle = [use for use in self.attachment.others(state.run) if use.pid not in busy]
        if generating or idle:
            raise InUseError([*generating, *idle])
        slots = (await self.status()).slots
        with anyio.move_on_after(FREED_SECONDS):
            while slots and slots.busy:
                await anyio.sleep(FREED_POLL_SECONDS)
                slots = (await self.status()).slots
        if slots and slots.busy:
            raise InUseError([f"{counted(slots.busy, 'reply is', 'replies are')} being generated"])

    def _start_error(self, state: RunState, loading: Loading) -> LlamaMCPError:
        error = endings.start_error(state)
        if loading.replaced is None or isinstance(error, StartInterruptedError):
            return error
        return ReplaceFailedError(error, loading.replaced.alias)
