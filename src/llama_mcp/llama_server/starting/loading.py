"""One start being waited for: a task of the process, so that loading goes on without its caller."""

import logging
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.diagnosis.log import last_line
from llama_mcp.llama_server.runs import keeper_process
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.endings import launch_facts
from llama_mcp.llama_server.runs.members import memory_of, pids_of
from llama_mcp.llama_server.runs.records import Launch, LoadingOutcome
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.starting.proof import Doubt
from llama_mcp.llama_server.starting.readiness import (
    EndedWhileLoadingError,
    UnprovedError,
    wait_until_ready,
)

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.5
_MORE_TIME = "Pass a larger timeout_seconds; a smaller model or a faster disk loads sooner."
_LOOK_AT_LOG = "Its log says what it does; a larger timeout_seconds gives it more time."
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
        self._doubt: Doubt | None = None
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

    @property
    def difference(self) -> str:
        """What speaks against it, in words, as long as it is not proved to be ready."""
        return self._doubt.what if self._doubt else ""

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
                outcome = await wait_until_ready(self.run, self._client, self._note_doubt)
                self._doubt = None
                self._attachment.note_proof(self.run, self._client)
                if self.run.outcome() is None:
                    self.run.record_outcome(outcome)
                await self._attachment.read_state(self.run)
            if self._limit.cancelled_caught:
                await self._give_up(await anyio.to_thread.run_sync(self._too_slow))
        except UnprovedError as error:
            await self._give_up(_unproved(self.run, error.doubt))
        except EndedWhileLoadingError:
            state = await self._attachment.read_state(self.run)
            has_failed = state.outcome is not None and bool(state.outcome.failure)
            # A stop is not a failed start: somebody wants no llama-server at all.
            if self.is_taken_back or has_failed or not self.run.is_stop_requested():
                await self._restore_replaced()
        except Exception:
            # A bug here must not end llama-mcp and every turn with it.
            logger.exception("Waiting for llama-server failed")
        finally:
            self._is_over.set()

    def _note_doubt(self, doubt: Doubt | None) -> None:
        self._doubt = doubt

    def _too_slow(self) -> LoadingOutcome:
        limit = f"timeout_seconds={self._timeout_seconds:g}"
        if self._doubt is not None:
            failure = f"it was not ready within {limit} and was stopped: {self._doubt.what}"
            return LoadingOutcome(failure=failure, advice=self._doubt.advice or _LOOK_AT_LOG)
        failure = f"it was not ready within {limit} and was stopped while it was still loading"
        return LoadingOutcome(failure=f"{failure}{_how_far(self.run)}", advice=_MORE_TIME)

    async def _give_up(self, outcome: LoadingOutcome) -> None:
        self.run.record_outcome(outcome)
        await keeper_process.stop(self.run, at_once=True)
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
        seconds = self.run.launch.age_seconds
        line = self.difference or last_line(self.run.log_path)
        return seconds, f"Loading {self.run.launch.alias}: {seconds:.1f} s. {line}"[:200].strip()


def _unproved(run: Run, doubt: Doubt) -> LoadingOutcome:
    failure = f"it was stopped, since it is not proved to be ready at {run.launch.url}"
    return LoadingOutcome(failure=f"{failure}: {doubt.what}", advice=doubt.advice)


def _how_far(run: Run) -> str:
    """Say how much of the model its memory can hold by now; a model is read into memory."""
    held = memory_of(pids_of(run.state()))
    size = launch_facts(run.launch).model_bytes
    if not held or not size or held >= size:
        return ""
    return f" (its memory had grown to {held / size:.0%} of the model's size)"
