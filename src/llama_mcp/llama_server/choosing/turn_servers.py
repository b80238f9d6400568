"""Which llama-server takes a turn or ranks texts, and what is done so that there is one.

WantedModel says which one serves. One that has crashed, or was unloaded because it was idle, is
started again. Without one the start is made that start_llama_server makes with no more than the
model, once there is room for it. A model that loads is not waited for here: the turn does that,
when its message is in the archive.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread

from llama_mcp.llama_server.choosing.serving_runs import ServingRuns
from llama_mcp.llama_server.choosing.start_parts import StartParts
from llama_mcp.llama_server.choosing.wanted_model import (
    ModelThatChats,
    ModelThatRanks,
    WantedModel,
)
from llama_mcp.llama_server.model_errors import NoRoomError
from llama_mcp.llama_server.rank_run import RankRun, rank_run_of
from llama_mcp.llama_server.ready_run import ReadyRun
from llama_mcp.llama_server.ready_server import (
    ANY_SERVER,
    NO_PATIENCE,
    ModelLoad,
    Patience,
    WantedServer,
)
from llama_mcp.llama_server.runs import endings
from llama_mcp.llama_server.runs.leaving import is_leaving
from llama_mcp.llama_server.runs.promises import Promise
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import RunState, once_unloaded
from llama_mcp.llama_server.runs.start_lock import Exclusive
from llama_mcp.llama_server.starting.preparation import Preparation
from llama_mcp.llama_server.status import ServerState
from llama_mcp.llama_server.worker_errors import WorkersMissingError
from llama_mcp.models.library import library_of

# As a start has it that says nothing else.
LOAD_SECONDS = 600.0
# How often a call looks again that waits for room.
ROOM_POLL_SECONDS = 0.1
# How long a start of what has run before waits for its RPC workers, and how often it looks.
WORKERS_SECONDS = 10.0
WORKERS_POLL_SECONDS = 0.5
Result = TypeVar("Result")

STARTED = "llama-server was started for this call ({model})."


@dataclass(slots=True)
class _Wish:
    """What one call wants, and what its caller is told of how it came to it."""

    model: WantedModel
    may_start: bool = True
    patience: Patience = NO_PATIENCE
    notes: list[str] = field(default_factory=list)
    promise: Promise | None = None
    began_at: float = field(default_factory=anyio.current_time)


class TurnServers:
    """Gives each turn of this process its llama-server."""

    def __init__(self, parts: StartParts, on_change: Callable[[], None]) -> None:
        """Take what it works with.

        Args:
            parts: what a start needs.
            on_change: called when this process has launched or ended llama-server.
        """
        self._settings = parts.settings
        self._environment = parts.environment
        self._lock = parts.lock
        self._launcher = parts.launcher
        self._watches = parts.watches
        self._room = parts.room
        self._serving_runs = ServingRuns(parts.settings, parts.watches)
        self._attachment = parts.attachment
        self._on_change = on_change

    async def ready_server(self, wanted: WantedServer = ANY_SERVER) -> ReadyRun:
        """Return a llama-server that takes a turn, which may still load.

        Takes a lease on it, so that it stays while this process lives.

        Raises:
            NoRoomError: the model cannot be started beside what runs, which may not be stopped.
            LlamaMCPError: why there is none.
        """
        model = ModelThatChats(self._settings, self._environment, wanted.model, wanted.usual_model)
        return await self._serving(_Wish(model, wanted.may_start, wanted.patience))

    async def ready_run(self, state: RunState) -> ReadyRun | None:
        """Return the run of a state if it is still there to be used, with a lease on it.

        Nothing is started for it, nor waited for but its answer: so it can be called by who holds
        the start lock.

        Raises:
            LlamaMCPError: it does not answer, or what answers is not it.
        """
        if is_leaving(state.run) or not await self._attachment.join(state.run):
            return None
        return await self._serving_runs.of(state, ())

    async def rank_server(self, *, model: str | None = None, wait_seconds: float = 0.0) -> RankRun:
        """Return a llama-server whose model ranks texts, which may still load.

        No model that chats is asked for vectors, and none is stopped unasked.

        Args:
            model: the only model that will do, by path or name; None for one that runs, or the
                only one that ranks if none runs.
            wait_seconds: how long to wait for room.

        Raises:
            CannotRankError: what runs, or was named, is no such model.
            NoRankModelError: none was named, and there is none, or there are several.
            LlamaMCPError: as ready_server.
        """
        wanted = ModelThatRanks(self._settings, self._environment, model)
        ready = await self._serving(_Wish(wanted, patience=Patience(wait_seconds)))
        facts_of = library_of(self._settings, self._environment).facts_of
        return await rank_run_of(ready, facts_of)

    async def _serving(self, wish: _Wish) -> ReadyRun:
        self._settings.check(("auto_restart", "auto_start", "max_models", "unresponsive_seconds"))
        state = await self._serving_run(wish)
        is_joined = state is not None and await self._join(wish, state.run)
        if state is not None and not is_joined and state.run.is_unloaded():
            return await self._serving(wish)  # its end was announced since its state was read
        if state is None or not is_joined:
            state = await self._start(wish)
        return await self._serving_runs.of(state, wish.notes, wish.promise)

    async def _join(self, wish: _Wish, run: Run) -> bool:
        """Take a lease for the wish, and return whether the run is still there to be used."""
        # Before anybody is waited for who may stop it: one of the two sees the other.
        promise = self._attachment.promises.make(run)
        is_joined = False
        try:
            is_joined = await self._attachment.join(run)
        finally:
            if not is_joined:
                promise.take_back()
        wish.promise = promise
        return is_joined

    async def _serving_run(self, wish: _Wish) -> RunState | None:
        """Return the run that serves, started again if it has to be; None without one."""
        state = await wish.model.serving(await self._attachment.readable_states())
        if state is None or state.is_live:
            return state
        state = await once_unloaded(state, partial(self._attachment.read_state, state.run))
        if state.is_live:
            return state
        return await self._once_workers_answer(
            wish,
            partial(self._with_patience, wish, partial(self._started_again, wish, state)),
        )

    async def _started_again(self, wish: _Wish, over: RunState) -> RunState | None:
        """Start a run again that has crashed or was unloaded; None when another is wanted now.

        For one that was unloaded neither auto_start nor auto_restart is asked: somebody has started
        it, and nothing failed.
        """

        async def make_room(exclusive: Exclusive) -> None:
            wish.notes += await self._room.make(exclusive, over.run.launch.alias)

        if over.state is ServerState.CRASHED:
            note = await anyio.to_thread.run_sync(endings.restart_note, over)
            state = await self._launcher.restart(over, make_room)
            wish.notes.append(note)
        else:
            state = await self._launcher.bring_back(over, make_room)
            if state is not None and state.run.folder != over.run.folder:
                wish.notes.append(endings.return_note(over.run.launch, state.run.launch))
        self._on_change()
        return state if state is not None and state.is_live else None

    async def _with_patience(self, wish: _Wish, act: Callable[[], Awaitable[Result]]) -> Result:
        """Return what an act returns; as long as there is no room for it, it is tried again."""
        while True:
            try:
                return await act()
            except NoRoomError as error:
                waited, patience = anyio.current_time() - wish.began_at, wish.patience
                # What runs may be quiet soon.
                if waited + error.waiting_seconds >= patience.seconds:
                    raise
                line = f"Waiting for room: {error.why}."
            if patience.tell is not None:
                await patience.tell(ModelLoad(waited, line))
            await anyio.sleep(ROOM_POLL_SECONDS)

    async def _once_workers_answer(
        self, wish: _Wish, act: Callable[[], Awaitable[Result]]
    ) -> Result:
        """Return what an act returns; as long as its RPC workers are not there, it is tried again.

        They may be on their way: whatever ended them may start them again.
        """
        began_at = anyio.current_time()
        while True:
            try:
                return await act()
            except WorkersMissingError as missing:
                waited = anyio.current_time() - began_at
                if waited >= WORKERS_SECONDS:
                    raise missing.after(waited) from missing
                line = f"Waiting for RPC workers: {'; '.join(missing.problems)}."
            if wish.patience.tell is not None:
                await wish.patience.tell(ModelLoad(waited, line))
            await anyio.sleep(WORKERS_POLL_SECONDS)

    async def _start(self, wish: _Wish) -> RunState:
        """Start the model that is wanted, unless another process has just started one that serves.

        Returns:
            Its state, with a lease on it.
        """
        states = await self._attachment.readable_states()
        if not (wish.may_start and self._settings.auto_start):
            raise await anyio.to_thread.run_sync(
                endings.not_running_error, next(iter(states), None), self._settings.runs_dir
            )
        preparation = await wish.model.prepare(states)
        state = await self._with_patience(wish, partial(self._start_now, wish, preparation))
        self._on_change()
        return state

    async def _start_now(self, wish: _Wish, preparation: Preparation) -> RunState:
        async with self._lock.hold() as exclusive:
            states = await self._attachment.readable_states()
            # Without a record no keeper came: a process that is bringing one would hold the lock.
            serving = await wish.model.serving([each for each in states if each.keeper])
            if serving and serving.is_live and await self._join(wish, serving.run):
                return serving
            await self._launcher.check_free_workers(preparation)
            model = preparation.in_use.alias
            wish.notes += await self._room.make(exclusive, model, preparation.memory)
            # Shielded: a cancel between launch and watch would leave a keeper that nobody watches.
            with anyio.CancelScope(shield=True):
                run = await self._launch(exclusive, wish, preparation)
            return await self._attachment.read_state(run)

    async def _launch(self, exclusive: Exclusive, wish: _Wish, preparation: Preparation) -> Run:
        await self._launcher.clear_away(exclusive, preparation.in_use.alias)
        run = await self._launcher.launch(exclusive, preparation, None)
        wish.promise = self._attachment.promises.make(run)
        (await self._watches.of(run)).own_start(LOAD_SECONDS, None)
        wish.notes.append(STARTED.format(model=run.launch.alias))
        return run
