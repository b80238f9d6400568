"""One start being waited for: a task of the process, so that loading goes on without its caller."""

import logging
import time
from collections.abc import Awaitable, Callable

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.diagnosis.log import last_line
from llama_mcp.llama_server.runs import keeper_process
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.records import Launch, LoadingOutcome
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.starting.readiness import EndedWhileLoadingError, wait_until_ready

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.5
# Elapsed seconds, and a line for a person.
Progress = Callable[[float, str], Awaitable[None]]

# Starts the replaced launch again, in the place of the run that failed.
Restore = Callable[[Run, Launch], Awaitable[None]]


class Loading:
    """Watches a run until it is ready, has ended, or has taken too long."""

    def __init__(
        self, run: Run, client: LlamaServerClient, attachment: Attachment, restore: Restore
    ) -> None:
        """Take what to watch.

        Args:
            run: the run that loads.
            client: the connection to it.
            attachment: where its state is read, and logged.
            restore: starts again what the run replaced.
        """
        self.run = run
        # What was stopped for this one, and is started again when this one fails.
        self.replaced: Launch | None = None
        # How many callers wait for it, and whether one has left it to go on by itself.
        self.waiters = 0
        self.is_left_to_go_on = False
        # Its last caller has taken the start back, so what it replaced is wanted again.
        self.is_taken_back = False
        self._client = client
        self._attachment = attachment
        self._restore = restore
        self._timeout_seconds = 0.0
        self._limit = anyio.CancelScope()
        self._is_over = anyio.Event()

    @property
    def is_over(self) -> bool:
        """Tell whether it is ready or has failed."""
        return self._is_over.is_set()

    def own_start(self, timeout_seconds: float, replaced: Launch | None) -> None:
        """Make this process responsible for the start.

        Args:
            timeout_seconds: llama-server is stopped when it is not ready by then.
            replaced: what was stopped for it; it is started again when this start fails.
        """
        self._timeout_seconds = timeout_seconds
        self._limit.deadline = anyio.current_time() + timeout_seconds
        self.replaced = replaced

    async def watch(self) -> None:
        """Wait until the start is over; a llama-server that takes too long is stopped."""
        try:
            with self._limit:
                outcome = await wait_until_ready(self.run, self._client)
                if self.run.outcome() is None:
                    self.run.record_outcome(outcome)
                await self._attachment.read_state(self.run)
            if self._limit.cancelled_caught:
                await self._give_up()
        except EndedWhileLoadingError:
            await self._attachment.read_state(self.run)
            # A stop is not a failed start: somebody wants no llama-server at all.
            if self.is_taken_back or not self.run.is_stop_requested():
                await self._restore_replaced()
        except Exception:
            # A bug here must not end llama-mcp and every turn with it.
            logger.exception("Waiting for llama-server failed")
        finally:
            self._is_over.set()

    async def _give_up(self) -> None:
        failure = f"it was not ready within {self._timeout_seconds:g} s and was stopped"
        self.run.record_outcome(LoadingOutcome(failure=failure))
        await keeper_process.stop(self.run)
        await self._attachment.read_state(self.run)
        await self._restore_replaced()

    async def _restore_replaced(self) -> None:
        if self.replaced is None:
            return
        try:
            await self._restore(self.run, self.replaced)
        except LlamaMCPError as error:
            logger.error("The llama-server that was replaced did not start again: %s", error)

    async def wait(self, seconds: float) -> None:
        """Wait until it is over, at most this long."""
        with anyio.move_on_after(seconds):
            await self._is_over.wait()

    async def wait_reporting(self, seconds: float, progress: Progress) -> None:
        """Wait like `wait`, and report the progress every half second."""
        deadline = anyio.current_time() + seconds
        while not self.is_over and anyio.current_time() < deadline:
            await progress(*self.describe())
            await self.wait(min(PROGRESS_SECONDS, deadline - anyio.current_time()))

    def describe(self) -> tuple[float, str]:
        """Return the seconds since the start and a line for a person who waits."""
        seconds = max(time.time() - self.run.launch.at, 0.0)
        line = last_line(self.run.log_path)
        return seconds, f"Loading {self.run.launch.alias}: {seconds:.1f} s. {line}"[:200].strip()
