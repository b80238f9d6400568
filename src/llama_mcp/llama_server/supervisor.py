"""The one owner of llama-server's life: starting, stopping, and what is known of it.

There is one llama-server per home folder. Several llama-mcp processes share it, so the truth is
the run folder; this class holds only what is this process's own: its attachment to the run and the
task that watches a start. Starts and stops are serialised across processes by the start lock.

    start   lock, join the one that runs or spawn a keeper, unlock, wait until ready
    stop    lock, refuse while others use it, close our connections, ask the keeper, check the end
    chat    wait for one that loads, restart one that crashed, check one that fell silent
"""

import time
from collections.abc import Callable, Mapping

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server import liveness, status_report
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.errors import (
    InUseError,
    NotOursError,
    NotRunningError,
    ReplaceFailedError,
    StartInterruptedError,
    StillLoadingError,
)
from llama_mcp.llama_server.ready_run import ReadyRun
from llama_mcp.llama_server.runs import endings
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.run import Run, UnreadableRun
from llama_mcp.llama_server.runs.run_state import RunState, UnreadableState
from llama_mcp.llama_server.runs.start_lock import Exclusive, StartLock
from llama_mcp.llama_server.starting import readiness
from llama_mcp.llama_server.starting.launcher import Launcher, refusal_to_join
from llama_mcp.llama_server.starting.loading import Loading, Progress
from llama_mcp.llama_server.starting.preparation import Preparation, prepare, resolve
from llama_mcp.llama_server.status import LaunchArguments, ServerConfig, ServerState, ServerStatus
from llama_mcp.settings import LlamaServerSettings

# The slot of a reply that was just cancelled is free within this time.
FREED_SECONDS = 1.0
FREED_POLL_SECONDS = 0.05
# How long one that was found silent may take to generate a token again.
RECOVERY_SECONDS = 3.0


class Supervisor:
    """This process's part in the llama-server of its home folder."""

    def __init__(
        self,
        settings: LlamaServerSettings,
        environment: Mapping[str, str],
        tasks: TaskGroup,
        *,
        count_open_turns: Callable[[], int],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what it works with.

        Args:
            settings: the operator's.
            environment: what llama-server's environment is built from.
            tasks: where starts are watched.
            count_open_turns: returns how many turns of this process are not over.
            on_change: called when this process has launched or ended llama-server.
        """
        self._settings = settings
        self._environment = environment
        self._tasks = tasks
        self._count_open_turns = count_open_turns
        self._on_change = on_change
        self.attachment = Attachment(settings.runs_dir)
        self._lock = StartLock(settings.runs_dir, self.attachment)
        self._launcher = Launcher(self._lock, self.attachment, auto_restart=settings.auto_restart)
        self._loading: Loading | None = None

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
            raise self._start_error(state, loading)
        status = await status_report.report(state, await self.attachment.connect(state.run))
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
                await exclusive.end(state.run)
        self._on_change()
        return await self.status()

    async def status(self) -> ServerStatus:
        """Return what llama-server is doing now."""
        state = await self.attachment.current_state()
        if state is None:
            return status_report.NEVER_STARTED
        if isinstance(state, UnreadableState):
            return status_report.report_unreadable(state)
        if state.state is ServerState.STARTING:
            # The process that started it may be gone, so this one watches for it to be ready.
            await self._watch(state.run)
        is_up = state.state is ServerState.READY
        client = await self.attachment.connect(state.run) if is_up else None
        return await status_report.report(state, client)

    async def config(self) -> ServerConfig:
        """Return the running server's settings, else those that a start would use now.

        Raises:
            LlamaMCPError: the settings of what runs cannot be read; or nothing runs, and a start
                would fail for want of an engine or a model.
        """
        state = await self._readable_state()
        if state is not None and state.is_live:
            config, port = state.run.launch.config, state.run.launch.port
            return ServerConfig(**config.model_dump() | {"port": port}, running=True)
        config, _engine, _model = await anyio.to_thread.run_sync(
            resolve, self._settings, self._environment, LaunchArguments()
        )
        return ServerConfig(**config.model_dump(), running=False)

    async def observe(self) -> RunState | UnreadableState | None:
        """Return the state of the run that counts, asking no llama-server; None without one."""
        return await self.attachment.current_state()

    async def ready_server(self, wait_seconds: float) -> ReadyRun:
        """Return a llama-server that can take a turn; one that loads is waited for.

        One that has crashed is started again first, when the settings say so. Takes a lease on it,
        so that it stays while this process lives.

        Raises:
            LlamaMCPError: why there is none.
        """
        deadline = anyio.current_time() + wait_seconds
        state, notes = await self._readable_state(), []
        if state is not None and state.state is ServerState.CRASHED and state.was_ready:
            notes.append(f"It was started again after a crash: {endings.crash_error(state)}")
            await self._launcher.restart(state)
            state = await self._readable_state()
        if state is not None and state.state is ServerState.STARTING:
            loading = await self._watch(state.run)
            await loading.wait(deadline - anyio.current_time())
            state = await self._readable_state()
        if state is None or not state.is_live:
            raise endings.not_running_error(state)
        if state.state is ServerState.STARTING:
            raise StillLoadingError(time.time() - state.run.launch.at)
        if not await self.attachment.join(state.run):
            raise NotRunningError
        client = await self.attachment.connect(state.run)
        if state.state is ServerState.UNRESPONSIVE:
            await liveness.check_alive(state.run, client, RECOVERY_SECONDS, {})
        await self._prove(state.run, client)
        return ReadyRun(
            run=state.run,
            client=client,
            slot_ctx_size=state.slot_ctx_size,
            total_slots=state.total_slots,
            patience_seconds=self._settings.unresponsive_seconds,
            read_state=self.attachment.read_state,
            notes=notes,
        )

    async def _readable_state(self) -> RunState | None:
        """Return the state of the run that counts; None without one that can be read.

        Raises:
            UnreadableRunError: its record cannot be read, and its llama-server lives.
        """
        state = await self.attachment.current_state()
        if isinstance(state, UnreadableState):
            if state.is_live:
                raise endings.unreadable_error(state)
            return None
        return state

    async def _prove(self, run: Run, client: LlamaServerClient) -> None:
        """Check once for each connection that it leads to the llama-server that was started."""
        if self.attachment.proved_run is None:
            if await readiness.props_if_ours(run, client) is None:
                raise NotOursError(run.launch.url, run.launch.alias)
            self.attachment.proved_run = run

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
                    return await self._watch(state.run), False
            elif refusal is not None and not replace:
                raise refusal
            else:
                await self._refuse_while_in_use(state)
                replaced = state.run
        if state is not None:
            await exclusive.end(state.run)
        run = await self._launcher.launch(exclusive, preparation, replaced)
        loading = await self._watch(run)
        loading.own_start(timeout_seconds, replaced.launch if isinstance(replaced, Run) else None)
        return loading, True

    async def _refuse_while_in_use(self, state: RunState | UnreadableState) -> None:
        others = self.attachment.count_others(state.run)
        if others > 0:
            raise InUseError(f"{others} other llama-mcp process(es) use it")
        if turns := self._count_open_turns():
            raise InUseError(f"{turns} reply or replies are being generated")
        slots = (await self.status()).slots
        with anyio.move_on_after(FREED_SECONDS):
            while slots and slots.busy:
                await anyio.sleep(FREED_POLL_SECONDS)
                slots = (await self.status()).slots
        if slots and slots.busy:
            raise InUseError(f"{slots.busy} reply or replies are being generated")

    def _start_error(self, state: RunState, loading: Loading) -> LlamaMCPError:
        error = endings.start_error(state)
        if loading.replaced is None or isinstance(error, StartInterruptedError):
            return error
        return ReplaceFailedError(error, loading.replaced.alias)

    async def _watch(self, run: Run) -> Loading:
        """Return the task that waits for the run; one for each run and process."""
        if self._loading is None or self._loading.run.folder != run.folder:
            client = await self.attachment.connect(run)
            self._loading = Loading(run, client, self.attachment, self._launcher.restore)
            self._tasks.start_soon(self._loading.watch)
        return self._loading
