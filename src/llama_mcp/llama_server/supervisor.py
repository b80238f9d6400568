"""The one owner of llama-server's life: starting, stopping, and what is known of it.

There is one llama-server per home folder. Several llama-mcp processes share it, so the truth is
the run directory; this class holds only what is this process's own: its lease, its connection and
the task that watches a start. Starts and stops are serialised across processes by a file lock.

    start   lock, join the one that runs or spawn a keeper, unlock, wait until ready
    stop    refuse while others use it, close our connections, ask the keeper, see that it is gone
"""

import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from llama_mcp import errors
from llama_mcp.llama_server import keeper_process, observation, ports, run_record, status_report
from llama_mcp.llama_server.client import LlamaServerClient
from llama_mcp.llama_server.launch import differences
from llama_mcp.llama_server.leases import Lease, count_clients
from llama_mcp.llama_server.loading import Loading
from llama_mcp.llama_server.observation import Observation
from llama_mcp.llama_server.preparation import Preparation, prepare, resolve
from llama_mcp.llama_server.run_record import Run
from llama_mcp.llama_server.start_lock import exclusively
from llama_mcp.llama_server.status import ServerConfig, ServerState, ServerStatus
from llama_mcp.settings import Settings

PROGRESS_SECONDS = 0.5
# A cancelled start has to end what it began before the client's patience (2 s) is over.
CANCELLED_START_SECONDS = 3.0

# A process that has just died is seen at once; its keeper records how within this time.
LOSS_SECONDS = 1.0
LOSS_POLL_SECONDS = 0.02

# Elapsed seconds, and a line for a person.
Progress = Callable[[float, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ReadyServer:
    """A llama-server that answers, as one turn needs it."""

    client: LlamaServerClient
    model: str
    slot_ctx_size: int | None


class Supervisor:
    """This process's hold on the llama-server of its home folder."""

    def __init__(
        self, settings: Settings, environment: Mapping[str, str], tasks: TaskGroup
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._tasks = tasks
        self._lease: Lease | None = None
        self._client: LlamaServerClient | None = None
        self._loading: Loading | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    async def start(
        self,
        arguments: Mapping[str, object],
        *,
        replace: bool,
        wait_seconds: float,
        timeout_seconds: float,
        progress: Progress,
    ) -> ServerStatus:
        """Start llama-server, or join one that runs with the same settings.

        Args:
            arguments: LaunchConfig's fields; None takes the setting.
            replace: stop one that runs with other settings.
            wait_seconds: how long to wait for it; loading goes on afterwards.
            timeout_seconds: after so long without being ready it is stopped.
            progress: called while it loads.

        Returns:
            Its status: ready, or starting when the wait was over first.

        Raises:
            LlamaMCPError: what was asked cannot be, or it ended while loading.
        """
        preparation = await prepare(self._settings, self._environment, arguments)
        async with exclusively(self._settings.runs_dir):
            run, is_new = await self._join_or_launch(preparation, replace)
        loading = self._watch(run, timeout_seconds if is_new else None)
        try:
            await _wait_reporting(loading, wait_seconds, progress)
        except anyio.get_cancelled_exc_class():
            if is_new:
                await self._abandon(run)
            raise
        seen = await observation.observe(run)
        if not seen.is_live:
            raise observation.start_error(seen)
        status = await status_report.report(seen, self._connect(run))
        return status.model_copy(update={"already_running": not is_new})

    async def stop(self, *, force: bool) -> ServerStatus:
        """Stop llama-server; one that is stopped already stays so.

        Raises:
            InUseError: others use it, and force is not set.
            StopFailedError: it does not end.
        """
        async with exclusively(self._settings.runs_dir):
            seen = await self._look()
            if seen is None or seen.pid is None:
                return await self.status()
            if not force:
                await self._refuse_while_in_use(seen)
            await self._end(seen.run)
        return await self.status()

    async def status(self) -> ServerStatus:
        """Return what llama-server is doing now."""
        seen = await self._look()
        if seen is None:
            return status_report.NEVER_STARTED
        client = self._connect(seen.run) if seen.state is ServerState.READY else None
        return await status_report.report(seen, client)

    async def config(self) -> ServerConfig:
        """Return the running server's settings, else those that a start would use now.

        Raises:
            LlamaMCPError: nothing runs, and a start would fail for want of an engine or a model.
        """
        seen = await self._look()
        is_running = seen is not None and seen.is_live
        if seen is not None and is_running:
            config, port = seen.run.launch.config, seen.run.launch.port
        else:
            config, _engine, _model = resolve(self._settings, self._environment, {})
            port = config.port
        facts = config.model_dump(exclude={"port", "extra_args"})
        return ServerConfig(
            **facts, port=port, extra_args=list(config.extra_args), running=is_running
        )

    async def metrics_text(self) -> str:
        """Return the Prometheus text of the running llama-server.

        Raises:
            NotRunningError: none runs, or it does not answer.
        """
        server = await self.ready_server(0)
        text = await server.client.metrics_text()
        if text is None:
            raise errors.NotRunningError("this build of llama-server gives no metrics")
        return text

    async def ready_server(self, wait_seconds: float) -> ReadyServer:
        """Return a llama-server that can take a turn; one that loads is waited for.

        Takes a lease on it, so that it stays while this process lives.

        Raises:
            NotRunningError, CrashedError, StillLoadingError: why there is none.
        """
        seen = await self._look()
        if seen is not None and seen.state is ServerState.STARTING:
            await self._watch(seen.run, None).wait(wait_seconds)
            seen = await self._look()
        if seen is None:
            raise errors.NotRunningError
        if seen.state is ServerState.STARTING:
            raise errors.StillLoadingError(time.time() - seen.run.launch.at)
        if seen.state is ServerState.CRASHED and seen.was_ready:
            raise observation.crash_error(seen)
        if not seen.is_live:
            raise observation.not_running_error(seen)
        if not (await self._hold(seen.run)).is_live:
            raise errors.NotRunningError
        slot_ctx_size = seen.outcome.slot_ctx_size if seen.outcome else None
        return ReadyServer(self._connect(seen.run), seen.run.launch.alias, slot_ctx_size)

    async def explain_loss(self, error: errors.LlamaServerLostError) -> errors.LlamaMCPError:
        """Return why the connection to llama-server was lost: a crash or a stop, if it was one."""
        seen = await self._look()
        with anyio.move_on_after(LOSS_SECONDS):
            while seen and seen.is_live:
                await anyio.sleep(LOSS_POLL_SECONDS)
                seen = await self._look()
        if seen is None or seen.is_live:
            return error
        if seen.state is ServerState.CRASHED:
            return observation.crash_error(seen)
        return errors.LlamaServerLostError("llama-server was stopped while it replied")

    async def aclose(self) -> None:
        """Close connections and give back the lease; the keeper does the rest."""
        if self._client:
            await self._client.aclose()
            self._client = None
        if self._lease:
            self._lease.release()
            self._lease = None

    async def _look(self) -> Observation | None:
        if self._keeper:
            self._keeper.poll()  # reaps it
        run = run_record.current_run(self._settings.runs_dir)
        return await observation.observe(run) if run else None

    async def _join_or_launch(self, preparation: Preparation, replace: bool) -> tuple[Run, bool]:
        seen = await self._look()
        if seen and seen.is_live:
            launch = seen.run.launch
            running = launch.config.model_copy(update={"port": launch.port})
            changed = differences(running, preparation.config)
            # A lease that comes too late for the keeper finds the run ending, and begins anew.
            if not changed and (await self._hold(seen.run)).is_live:
                return seen.run, False
            if changed and not replace:
                raise errors.AlreadyRunningError(f"{launch.alias} at {launch.url}", changed)
        if seen:
            await self._end(seen.run)
        return await self._launch(preparation), True

    async def _launch(self, preparation: Preparation) -> Run:
        port = preparation.config.port or ports.find_free()
        if not ports.is_free(port):
            holder = await anyio.to_thread.run_sync(ports.describe_holder, port)
            raise errors.PortTakenError(port, holder)
        launch = preparation.launch_on(port, time.time())
        run = run_record.create_run(self._settings.runs_dir, launch)
        # Before the keeper lives: it stops a llama-server on which nobody holds a lease.
        await self._hold(run)
        self._keeper = await keeper_process.spawn(run)
        return run

    async def _end(self, run: Run) -> None:
        # llama-server does not end while a connection is open, so ours go first.
        await self.aclose()
        seen = await observation.observe(run)
        if seen.pid is not None:
            await keeper_process.stop(run)
        else:
            await keeper_process.end_leftovers(run)

    async def _abandon(self, run: Run) -> None:
        """End a start whose caller is gone, unless another process has taken to it."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(CANCELLED_START_SECONDS):
            if count_clients(run) <= 1:
                await self._end(run)

    async def _refuse_while_in_use(self, seen: Observation) -> None:
        own = 1 if self._lease and self._lease.run_folder == seen.run.folder else 0
        others = count_clients(seen.run) - own
        status = await self.status()
        busy = status.slots.busy if status.slots else 0
        if others > 0:
            raise errors.InUseError(f"{others} other llama-mcp process(es) use it")
        if busy:
            raise errors.InUseError(f"{busy} reply or replies are being generated")

    def _watch(self, run: Run, timeout_seconds: float | None) -> Loading:
        """Return the task that waits for the run; one for each run and process."""
        if self._loading is None or self._loading.run.folder != run.folder:
            self._loading = Loading(run, self._connect(run), timeout_seconds)
            self._tasks.start_soon(self._loading.watch)
        return self._loading

    def _connect(self, run: Run) -> LlamaServerClient:
        if self._client is None or self._client.url != run.launch.url:
            self._client = LlamaServerClient(run.launch.url)
        return self._client

    async def _hold(self, run: Run) -> Observation:
        """Take a lease on the run, and look whether that was in time."""
        if self._lease is None or self._lease.run_folder != run.folder:
            if self._lease:
                self._lease.release()
            self._lease = Lease(run)
        return await observation.observe(run)


async def _wait_reporting(loading: Loading, wait_seconds: float, progress: Progress) -> None:
    deadline = anyio.current_time() + wait_seconds
    while not loading.is_over and anyio.current_time() < deadline:
        await progress(*loading.describe())
        await loading.wait(min(PROGRESS_SECONDS, deadline - anyio.current_time()))
