"""The one owner of llama-server's life: starting, stopping, and what is known of it.

There is one llama-server per home folder. Several llama-mcp processes share it, so the truth is
the run directory; this class holds only what is this process's own: its hold on the run and the
task that watches a start. Starts and stops are serialised across processes by a file lock.

    start   lock, join the one that runs or spawn a keeper, unlock, wait until ready
    stop    refuse while others use it, close our connections, ask the keeper, see that it is gone
    chat    wait for one that loads, start one that crashed again, ask one that fell silent
"""

import time
from collections.abc import Callable, Mapping

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server import liveness, status_report
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.engine.command_line import LaunchArguments, differences
from llama_mcp.llama_server.errors import (
    AlreadyRunningError,
    InUseError,
    NotOursError,
    NotRunningError,
    ReplaceFailedError,
    StillLoadingError,
)
from llama_mcp.llama_server.ready_run import ReadyRun
from llama_mcp.llama_server.runs import endings, ports
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.records import Launch
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import RunState, read_run_state
from llama_mcp.llama_server.runs.start_lock import exclusively
from llama_mcp.llama_server.starting import readiness
from llama_mcp.llama_server.starting.launcher import Launcher
from llama_mcp.llama_server.starting.loading import Loading, Progress
from llama_mcp.llama_server.starting.preparation import Preparation, prepare, resolve
from llama_mcp.llama_server.status import ServerConfig, ServerState, ServerStatus
from llama_mcp.settings import LlamaServerSettings

# The slot of a reply that was just cancelled is free within this time.
FREED_SECONDS = 1.0
FREED_POLL_SECONDS = 0.05
# One that was found silent gets so long to show that it has come back.
RECOVERY_SECONDS = 3.0


class Supervisor:
    """This process's part in the llama-server of its home folder."""

    def __init__(
        self,
        settings: LlamaServerSettings,
        environment: Mapping[str, str],
        tasks: TaskGroup,
        count_open_turns: Callable[[], int],
    ) -> None:
        """Take what it works with.

        Args:
            settings: the operator's.
            environment: what llama-server's environment is built from.
            tasks: where starts are watched.
            count_open_turns: returns how many turns of this process are not over.
        """
        self._settings = settings
        self._environment = environment
        self._tasks = tasks
        self._attachment = Attachment()
        self._launcher = Launcher(settings, self._attachment)
        self._loading: Loading | None = None
        self._count_open_turns = count_open_turns

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
        # Shielded: between the lock and the watch a cancel would leave a keeper to nobody.
        async with exclusively(self._settings.runs_dir):
            with anyio.CancelScope(shield=True):
                loading, is_new = await self._join_or_launch(preparation, replace, timeout_seconds)
        loading.waiters += 1
        try:
            await loading.wait_reporting(wait_seconds, progress)
            loading.is_left_to_go_on = True
        finally:
            loading.waiters -= 1
            if not (loading.waiters or loading.is_over or loading.is_left_to_go_on):
                await self._launcher.abandon(loading.run)
        seen = await read_run_state(loading.run)
        if not seen.is_live:
            raise self._start_error(seen, loading)
        status = await status_report.report(seen, await self._attachment.connect(seen.run))
        return status.model_copy(update={"already_running": not is_new})

    async def stop(self, *, force: bool) -> ServerStatus:
        """Stop llama-server; one that is stopped already stays so.

        Raises:
            InUseError: others use it, and force is not set.
            StopFailedError: it does not end.
        """
        async with exclusively(self._settings.runs_dir):
            seen = await self._launcher.look()
            if seen is not None and seen.pid is not None and not force:
                await self._refuse_while_in_use(seen)
            if seen is not None:
                await self._launcher.end(seen.run)
        return await self.status()

    async def status(self) -> ServerStatus:
        """Return what llama-server is doing now."""
        seen = await self._launcher.look()
        if seen is None:
            return status_report.NEVER_STARTED
        if seen.state is ServerState.STARTING:
            # Whoever began it may be gone, and somebody has to notice that it is ready.
            await self._watch(seen.run)
        is_up = seen.state is ServerState.READY
        client = await self._attachment.connect(seen.run) if is_up else None
        return await status_report.report(seen, client)

    async def config(self) -> ServerConfig:
        """Return the running server's settings, else those that a start would use now.

        Raises:
            LlamaMCPError: nothing runs, and a start would fail for want of an engine or a model.
        """
        seen = await self._launcher.look()
        is_running = seen is not None and seen.is_live
        if seen is not None and is_running:
            config, port = seen.run.launch.config, seen.run.launch.port
        else:
            config, _engine, _model = await anyio.to_thread.run_sync(
                resolve, self._settings, self._environment, LaunchArguments()
            )
            port = config.port
        return ServerConfig(**config.model_dump() | {"port": port}, running=is_running)

    async def observe(self) -> RunState | None:
        """Return what the run that counts looks like, asking no llama-server; None without one."""
        return await self._launcher.look()

    async def connect(self, run: Run) -> LlamaServerClient:
        """Return this process's connection to the run's llama-server."""
        return await self._attachment.connect(run)

    async def ready_server(self, wait_seconds: float) -> ReadyRun:
        """Return a llama-server that can take a turn; one that loads is waited for.

        One that has crashed is started again first, when the settings say so. Takes a lease on it,
        so that it stays while this process lives.

        Raises:
            LlamaMCPError: why there is none.
        """
        deadline = anyio.current_time() + wait_seconds
        seen, notes = await self._launcher.look(), []
        if seen is not None and seen.state is ServerState.CRASHED and seen.was_ready:
            notes.append(f"It was started again after a crash: {endings.crash_error(seen)}")
            seen = await self._launcher.restart(seen)
        if seen is not None and seen.state is ServerState.STARTING:
            loading = await self._watch(seen.run)
            await loading.wait(deadline - anyio.current_time())
            seen = await self._launcher.look()
        if seen is None or not seen.is_live:
            raise endings.not_running_error(seen)
        if seen.state is ServerState.STARTING:
            raise StillLoadingError(time.time() - seen.run.launch.at)
        if self._attachment.take(seen.run) and not (await read_run_state(seen.run)).is_live:
            raise NotRunningError
        client = await self._attachment.connect(seen.run)
        if seen.state is ServerState.UNRESPONSIVE:
            await liveness.check_alive(seen.run, client, RECOVERY_SECONDS, {})
        await self._prove(seen.run, client)
        outcome = seen.outcome
        return ReadyRun(
            run=seen.run,
            client=client,
            slot_ctx_size=(outcome and outcome.slot_ctx_size) or seen.run.launch.config.ctx_size,
            total_slots=(outcome and outcome.total_slots) or seen.run.launch.config.parallel,
            patience_seconds=self._settings.unresponsive_seconds,
            notes=notes,
        )

    async def _prove(self, run: Run, client: LlamaServerClient) -> None:
        """See once for each connection that it leads to the llama-server that was started."""
        if self._attachment.proved_run is None:
            if await readiness.props_if_ours(run, client) is None:
                raise NotOursError(run.launch.url, run.launch.alias)
            self._attachment.proved_run = run

    async def aclose(self) -> None:
        """Close connections and give back the lease; the keeper does the rest."""
        await self._attachment.release()

    async def _join_or_launch(
        self, preparation: Preparation, replace: bool, timeout_seconds: float
    ) -> tuple[Loading, bool]:
        seen = await self._launcher.look()
        replaced: Launch | None = None
        # Without a state the keeper never came: whoever brings one holds the lock that we hold.
        if seen and seen.is_live and seen.keeper is not None:
            launch = seen.run.launch
            running = launch.config.model_copy(update={"port": launch.port})
            changed = differences(running, preparation.config)
            if not changed:
                # A lease that comes too late for the keeper finds the run ending; then anew.
                if not self._attachment.take(seen.run) or (await read_run_state(seen.run)).is_live:
                    return await self._watch(seen.run), False
            elif not replace:
                raise AlreadyRunningError(f"{launch.alias} at {launch.url}", changed)
            else:
                await self._refuse_while_in_use(seen)
                replaced = launch
        if seen:
            await self._launcher.end(seen.run)
        run = await self._launch(preparation, replaced)
        loading = await self._watch(run)
        loading.take_charge(timeout_seconds, replaced)
        return loading, True

    async def _launch(self, preparation: Preparation, replaced: Launch | None) -> Run:
        try:
            port = preparation.config.port or ports.find_free()
            return await self._launcher.carry_out(preparation.launch_on(port, time.time()))
        except LlamaMCPError as error:
            if replaced is None:
                raise
            await self._launcher.carry_out(replaced.model_copy(update={"at": time.time()}))
            raise ReplaceFailedError(error, replaced.alias) from error

    async def _refuse_while_in_use(self, seen: RunState) -> None:
        others = self._attachment.count_others(seen.run)
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

    def _start_error(self, seen: RunState, loading: Loading) -> LlamaMCPError:
        error = endings.start_error(seen)
        if loading.replaced is None:
            return error
        return ReplaceFailedError(error, loading.replaced.alias)

    async def _watch(self, run: Run) -> Loading:
        """Return the task that waits for the run; one for each run and process."""
        if self._loading is None or self._loading.run.folder != run.folder:
            client = await self._attachment.connect(run)
            self._loading = Loading(run, client, self._launcher.put_back)
            self._tasks.start_soon(self._loading.watch)
        return self._loading
