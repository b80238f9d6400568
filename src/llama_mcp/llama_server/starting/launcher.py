"""What changes runs: a launch carried out, ended, begun again after a crash, put back.

Whoever calls `carry_out` or `end` holds the start lock; the others take it themselves.
"""

import time

import anyio
import anyio.to_thread

from llama_mcp.llama_server.errors import CrashLoopError, PortTakenError
from llama_mcp.llama_server.runs import endings, keeper_process, ports
from llama_mcp.llama_server.runs.attachment import Attachment, count_clients
from llama_mcp.llama_server.runs.records import Launch
from llama_mcp.llama_server.runs.run import Run, create_run, current_run
from llama_mcp.llama_server.runs.run_state import RunState, read_run_state
from llama_mcp.llama_server.runs.start_lock import exclusively
from llama_mcp.llama_server.starting import restarts
from llama_mcp.settings import LlamaServerSettings

# A cancelled start has to end what it began before the client's patience (2 s) is over.
CANCELLED_START_SECONDS = 3.0


class Launcher:
    """Carries launches out in the name of this process, which holds a lease on each."""

    def __init__(self, settings: LlamaServerSettings, attachment: Attachment) -> None:
        self._settings = settings
        self._attachment = attachment

    async def look(self) -> RunState | None:
        """Return what the run that counts looks like; None when there never was one."""
        self._attachment.reap()
        run = current_run(self._settings.runs_dir)
        return await read_run_state(run) if run else None

    async def carry_out(self, launch: Launch) -> Run:
        """Spawn a keeper for the launch and take the first lease on it.

        Raises:
            PortTakenError: somebody else listens on its port.
            StartFailedError: the keeper did not come up.
        """
        if not ports.is_free(launch.port):
            holder = await anyio.to_thread.run_sync(ports.describe_holder, launch.port)
            raise PortTakenError(launch.port, holder)
        run = create_run(self._settings.runs_dir, launch)
        # Before the keeper lives: it stops a llama-server on which nobody holds a lease.
        self._attachment.take(run)
        # Whoever is cancelled meanwhile, a keeper that was spawned is known and will be reaped.
        with anyio.CancelScope(shield=True):
            self._attachment.keep(await keeper_process.spawn(run))
        return run

    async def restart(self, crashed: RunState) -> RunState | None:
        """Start a llama-server that crashed again, unless another process has just done so."""
        if not self._settings.auto_restart:
            raise endings.crash_error(crashed)
        async with exclusively(self._settings.runs_dir):
            seen = await self.look()
            if seen is None or seen.run.folder != crashed.run.folder:
                return seen
            failure = str(endings.crash_error(crashed))
            launch = restarts.next_restart(crashed.run.launch, failure, time.time())
            if launch is None:
                first = crashed.run.launch.first_failure or failure
                minutes = restarts.WINDOW_SECONDS / 60
                raise CrashLoopError(restarts.MAX_RESTARTS, minutes, first)
            await self.end(crashed.run)
            return await read_run_state(await self.carry_out(launch))

    async def put_back(self, failed: Run, replaced: Launch) -> None:
        """Start the llama-server again that was stopped for one that did not start."""
        async with exclusively(self._settings.runs_dir):
            current = current_run(self._settings.runs_dir)
            if current is not None and current.folder == failed.folder:
                await self.carry_out(replaced.model_copy(update={"at": time.time()}))

    async def end(self, run: Run) -> None:
        """Stop the run's llama-server, or clear away what a dead keeper has left of it."""
        # llama-server does not end while a connection is open, so ours go first.
        await self._attachment.release()
        seen = await read_run_state(run)
        if seen.keeper is None:
            run.request_stop()  # its keeper never came, and must not come any more
        elif seen.pid is not None:
            await keeper_process.stop(run)
        else:
            await keeper_process.end_leftovers(run)

    async def abandon(self, run: Run) -> None:
        """End a start whose caller is gone, unless another process has taken to it."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(CANCELLED_START_SECONDS):
            async with exclusively(self._settings.runs_dir):
                if count_clients(run) <= 1:
                    await self.end(run)
