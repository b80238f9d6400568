"""Why a run is launched: it was asked for, crashed, or was unloaded; or its replacement failed.

Also how a start is ended whose caller is gone.
"""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.engine.command_line import LaunchConfig, differences
from llama_mcp.llama_server.errors import (
    AlreadyRunningError,
    CrashLoopError,
    ReplaceFailedError,
)
from llama_mcp.llama_server.runs import endings, ports
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.leases import count_clients
from llama_mcp.llama_server.runs.records import Launch
from llama_mcp.llama_server.runs.run import Run, UnreadableRun
from llama_mcp.llama_server.runs.run_state import FolderState, RunState, UnreadableState
from llama_mcp.llama_server.runs.start_lock import Exclusive, StartLock
from llama_mcp.llama_server.status import ServerState

if TYPE_CHECKING:
    from llama_mcp.llama_server.starting.fit_note import Unfit
    from llama_mcp.llama_server.starting.preparation import Preparation

MAX_RESTARTS = 3
RESTART_WINDOW_SECONDS = 300.0
# A cancelled start has to end what it began before the client's patience (2 s) is over.
CANCELLED_START_SECONDS = 3.0

# Ends what has to go for a launch, with what the start lock gave.
MakeRoom = Callable[[Exclusive], Awaitable[None]]


class Launcher:
    """Launches runs in the name of this process."""

    def __init__(
        self,
        lock: StartLock,
        attachment: Attachment,
        *,
        auto_restart: bool,
        several_may_run: bool = False,
    ) -> None:
        """Take what it works with.

        Args:
            lock: the start lock.
            attachment: tells which run counts.
            auto_restart: whether a llama-server that crashed is started again.
            several_may_run: whether several models may run at once. One that is started again then
                takes another port if another model has its own.
        """
        self._several_may_run = several_may_run
        self._lock = lock
        self._attachment = attachment
        self._auto_restart = auto_restart

    async def launch(
        self,
        exclusive: Exclusive,
        preparation: "Preparation",
        replaced: Run | UnreadableRun | None,
    ) -> Run:
        """Launch what was prepared.

        Args:
            exclusive: what the start lock gave.
            preparation: the start.
            replaced: what was stopped for it. It is launched again when this launch fails and its
                record can be read.

        Raises:
            LlamaMCPError: it could not be launched; ReplaceFailedError when something was replaced.
        """
        # Imported for a launch: who looks at llama-servers makes none.
        from llama_mcp.llama_server.starting.fit_note import why_unfit
        from llama_mcp.llama_server.starting.worker_check import with_workers

        try:
            if preparation.workers.addresses:
                preparation = await with_workers(preparation, await self._serving_workers())
            # Now that what it replaces has ended, and has left its memory.
            unfit = await anyio.to_thread.run_sync(
                partial(why_unfit, preparation.memory, has_ended_another=replaced is not None)
            )
            port = preparation.config.port
            is_taken = preparation.takes_any_port and not ports.is_free(port)
            port = port if port and not is_taken else ports.find_free()
            launch = preparation.launch_on(port, time.time())
            if unfit is not None:
                launch = _noted(launch, unfit)
            return await exclusive.launch(
                launch, f"replaces run={replaced.name}" if replaced else ""
            )
        except LlamaMCPError as error:
            if not isinstance(replaced, Run):
                raise
            await _launch_again(exclusive, replaced.launch)
            raise ReplaceFailedError(error, replaced.launch.alias) from error

    async def check_free_workers(self, preparation: "Preparation") -> None:
        """Look at the workers that no llama-server of ours has, before anything is stopped.

        Raises:
            WorkersMissingError: one of them cannot be used.
        """
        from llama_mcp.llama_server.starting.worker_check import check_workers

        if preparation.workers.addresses:
            serving = await self._serving_workers()
            free = [each for each in preparation.workers.addresses if each not in serving]
            await check_workers(free, {})

    async def _check_workers_of(self, launch: Launch) -> None:
        """Raise WorkersMissingError when workers of a launch that is repeated cannot be used."""
        if addresses := launch.worker_addresses:
            from llama_mcp.llama_server.starting.worker_check import check_workers

            await check_workers(addresses, await self._serving_workers())

    async def _serving_workers(self) -> dict[str, str]:
        from llama_mcp.llama_server.starting.worker_check import serving_workers

        return serving_workers(await self._attachment.states())

    async def clear_away(self, exclusive: Exclusive, model: str) -> None:
        """End what is left of the last run of a model, and of the last run of all, if it is over.

        Args:
            exclusive: what the start lock gave.
            model: the model that is to be launched.
        """
        for number, state in enumerate(await self._attachment.states()):
            is_of_it = isinstance(state, RunState) and state.run.launch.alias == model
            # Without a record no keeper came: a process that is bringing one would hold the lock.
            is_over = not state.is_live or state.keeper is None
            is_idle = state.state is ServerState.IDLE
            if is_of_it or (number == 0 and is_over and not is_idle):
                await exclusive.end(state.run)

    async def restart(self, crashed: RunState, make_room: MakeRoom) -> RunState | None:
        """Start a llama-server that crashed again, unless another process has just done so.

        Args:
            crashed: its state.
            make_room: called before it is launched.

        Returns:
            The state of its model's last run then.

        Raises:
            CrashedError: the settings forbid restarts.
            CrashLoopError: it has crashed too often.
            WorkersMissingError: RPC workers that it had cannot be used now.
        """
        if not self._auto_restart:
            raise await anyio.to_thread.run_sync(endings.crash_error, crashed)
        async with self._lock.hold() as exclusive:
            latest = await self._attachment.state_of(crashed.run.launch.alias)
            if latest is None or latest.run.folder != crashed.run.folder:
                return latest
            error = await anyio.to_thread.run_sync(endings.crash_error, crashed)
            failure = error.situation
            launch = next_restart(crashed.run.launch, failure, time.time())
            if launch is None:
                first = crashed.run.launch.first_failure or failure
                raise CrashLoopError(MAX_RESTARTS, RESTART_WINDOW_SECONDS / 60, first)
            await self._check_workers_of(launch)
            await make_room(exclusive)
            await exclusive.end(crashed.run)
            launch = self._on_free_port(launch)
            run = await exclusive.launch(launch, f"restarts the crashed run={crashed.run.name}")
            return await self._attachment.read_state(run)

    async def bring_back(self, unloaded: RunState, make_room: MakeRoom) -> RunState | None:
        """Start a llama-server again that was unloaded: as it was, on another port if it must be.

        Args:
            unloaded: its state.
            make_room: called before it is launched.

        Returns:
            The state of its model's last run then, which another process may have launched.

        Raises:
            LlamaMCPError: it could not be launched.
        """
        async with self._lock.hold() as exclusive:
            latest = await self._attachment.state_of(unloaded.run.launch.alias)
            is_same = latest is not None and latest.run.folder == unloaded.run.folder
            if latest is None or not is_same or latest.state is not ServerState.IDLE:
                return latest
            await self._check_workers_of(unloaded.run.launch)
            await make_room(exclusive)
            await exclusive.end(unloaded.run, comes_back=True)
            launch = unloaded.run.launch.model_copy(update={"at": time.time()})
            if not ports.is_free(launch.port):
                launch = launch.on_port(ports.find_free())
            why = f"brings back the unloaded run={unloaded.run.name}"
            return await self._attachment.read_state(await exclusive.launch(launch, why))

    async def restore(self, failed: Run, replaced: Launch) -> None:
        """Start the llama-server again that was stopped for one that did not start."""
        async with self._lock.hold() as exclusive:
            # Where several models may run, another may have been launched meanwhile.
            state: FolderState | None
            if self._several_may_run:
                state = await self._attachment.state_of(failed.launch.alias)
            else:
                state = await self._attachment.current_state()
            if state is not None and state.run.folder == failed.folder:
                await _launch_again(exclusive, self._on_free_port(replaced))

    def _on_free_port(self, launch: Launch) -> Launch:
        if not self._several_may_run or ports.is_free(launch.port):
            return launch
        return launch.on_port(ports.find_free())

    async def abandon(self, run: Run) -> None:
        """End a start whose caller is gone, unless another process uses it."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(CANCELLED_START_SECONDS):
            async with self._lock.hold() as exclusive:
                if count_clients(run) <= 1:
                    await exclusive.end(run, at_once=True)


async def _launch_again(exclusive: Exclusive, replaced: Launch) -> None:
    launch = replaced.model_copy(update={"at": time.time()})
    await exclusive.launch(launch, "restored, since what was to replace it did not start")


def _noted(launch: Launch, unfit: "Unfit") -> Launch:
    noted = {"notes": [*launch.notes, unfit.note], "fitting_ctx_size": unfit.fitting_ctx_size}
    return launch.model_copy(update=noted)


def refusal_to_join(
    state: RunState | UnreadableState,
    wanted: LaunchConfig,
    *,
    takes_any_port: bool = False,
    named: str | None = None,
) -> LlamaMCPError | None:
    """Return why a start cannot join what runs; None when it can.

    Args:
        state: what runs.
        wanted: the start.
        takes_any_port: its port is only preferred.
        named: what the operator calls its model; None where any name will do.
    """
    if isinstance(state, UnreadableState):
        return endings.unreadable_error(state)
    launch = state.run.launch
    running = launch.config.model_copy(update={"port": launch.port})
    port = {"port": 0} if takes_any_port else {}
    changed = differences(running, wanted.model_copy(update=port))
    if named is not None and named != launch.alias:
        changed.insert(0, f"its name ({launch.alias!r}, asked for {named!r})")
    return AlreadyRunningError(f"{launch.alias} at {launch.url}", changed) if changed else None


def next_restart(crashed: Launch, failure: str, now: float) -> Launch | None:
    """Return the launch that follows a crash; None after too many crashes in the window.

    Args:
        crashed: what ended by itself.
        failure: why, in words. The first failure of a series is kept: later ones may follow from
            it.
        now: seconds since 1970.
    """
    # One in the future was before the clock was set back: nobody knows when.
    recent = [at for at in crashed.restarts if 0 <= now - at < RESTART_WINDOW_SECONDS]
    if len(recent) >= MAX_RESTARTS:
        return None
    first = crashed.first_failure if recent and crashed.first_failure else failure
    return crashed.model_copy(
        update={"at": now, "restarts": [*recent, now], "first_failure": first}
    )
