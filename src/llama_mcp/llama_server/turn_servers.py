"""Which llama-server takes a turn or ranks texts, and what is done so that there is one.

The one that runs or loads takes it, unless the turn names another model. One that has crashed, or
was unloaded because it was idle, is started again, and without one the start is made that
start_llama_server makes with no more than the model. A model that loads is not waited for here: the
turn does that, when its message is in the archive.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import anyio
import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server import liveness
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.errors import NotStartedForTurnError, StillLoadingError
from llama_mcp.llama_server.rank_run import RankRun, rank_run_of
from llama_mcp.llama_server.ready_run import OnceLoaded, ReadyRun
from llama_mcp.llama_server.ready_server import ModelLoad, ModelUnloadedError, TellLoad
from llama_mcp.llama_server.runs import endings
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import RunState, once_unloaded
from llama_mcp.llama_server.runs.start_lock import StartLock
from llama_mcp.llama_server.starting import proof
from llama_mcp.llama_server.starting.launcher import Launcher
from llama_mcp.llama_server.starting.loading import Loading
from llama_mcp.llama_server.starting.watches import Watches
from llama_mcp.llama_server.status import ServerState
from llama_mcp.llama_server.wanted_model import ModelThatChats, ModelThatRanks, WantedModel
from llama_mcp.models.library import library_of
from llama_mcp.settings import LlamaServerSettings

# How long one that was found silent may take to generate a token again.
RECOVERY_SECONDS = 3.0
# As a start has it that says nothing else.
LOAD_SECONDS = 600.0
STARTED = "llama-server was started for this call ({model})."


class TurnServers:
    """Gives each turn of this process its llama-server."""

    def __init__(
        self,
        settings: LlamaServerSettings,
        environment: Mapping[str, str],
        lock: StartLock,
        launcher: Launcher,
        watches: Watches,
        on_change: Callable[[], None],
    ) -> None:
        """Take what it works with.

        Args:
            settings: the operator's.
            environment: what llama-server's environment is built from.
            lock: the start lock.
            launcher: launches runs.
            watches: watch runs that load.
            on_change: called when this process has launched llama-server.
        """
        self._settings = settings
        self._environment = environment
        self._lock = lock
        self._launcher = launcher
        self._watches = watches
        self._attachment = watches.attachment
        self._on_change = on_change

    async def ready_server(self, *, may_start: bool = True, model: str | None = None) -> ReadyRun:
        """Return a llama-server that takes a turn, which may still load.

        Takes a lease on it, so that it stays while this process lives.

        Args:
            may_start: one is started if none runs, and the settings allow it.
            model: the only model that will do, by path or name; None for the one that runs.

        Raises:
            OtherModelRunsError: another model runs than the one that was named.
            LlamaMCPError: why there is none.
        """
        wanted = ModelThatChats(self._settings, self._environment, model)
        return await self._serving(wanted, may_start=may_start)

    async def rank_server(self, *, model: str | None = None) -> RankRun:
        """Return a llama-server whose model ranks texts, which may still load.

        What runs is never stopped for it, and no model that chats is asked for vectors.

        Args:
            model: the only model that will do, by path or name; None for the one that runs, or the
                only one that ranks if none runs.

        Raises:
            CannotRankError: what runs, or was named, is no such model.
            NoRankModelError: none was named, and there is none, or there are several.
            LlamaMCPError: as ready_server.
        """
        wanted = ModelThatRanks(self._settings, self._environment, model)
        ready = await self._serving(wanted, may_start=True)
        facts_of = library_of(self._settings, self._environment).facts_of
        return await rank_run_of(ready, facts_of)

    async def _serving(self, wanted: WantedModel, *, may_start: bool) -> ReadyRun:
        self._settings.check(("auto_restart", "auto_start", "unresponsive_seconds"))
        state, notes = await self._state(), []
        if state is not None and await _is_restarted(state, wanted):
            notes.append(await anyio.to_thread.run_sync(endings.restart_note, state))
            await self._launcher.restart(state)
            state = await self._attachment.readable_state()
        if state is not None and await _comes_back(state, wanted):
            notes += await self._bring_back(state)
            state = await self._attachment.readable_state()
        is_joined = False
        if state is not None and state.is_live:
            await wanted.check_runs(state.run.launch)
            is_joined = await self._attachment.join(state.run)
            if not is_joined and state.run.is_unloaded():  # since its state was read
                return await self._serving(wanted, may_start=may_start)
        if state is None or not is_joined:
            state, is_new = await self._start(state, wanted, may_start=may_start)
            model = state.run.launch.alias
            notes += [STARTED.format(model=model)] if is_new else []
        if state.state in (ServerState.READY, ServerState.UNRESPONSIVE):
            return await self._answering(state, notes)
        loading = await self._watches.of(state.run)
        # A turn wants it from now on, whatever becomes of the call that has started it.
        loading.is_left_to_go_on = True
        return await self._describe(
            state, notes, _how_far(loading), partial(self._once_loaded, loading, notes)
        )

    async def _state(self) -> RunState | None:
        """Return the state of the run that counts, which is not just being unloaded."""
        read = self._attachment.readable_state
        return await once_unloaded(await read(), read)

    async def _bring_back(self, unloaded: RunState) -> Sequence[str]:
        """Start what was unloaded again as it was; return notes about it.

        Neither auto_start nor auto_restart is asked: somebody has started it, and nothing failed.
        """
        launch = await self._launcher.bring_back(unloaded)
        if launch is None:  # another process has
            return ()
        self._on_change()
        return (endings.return_note(unloaded.run.launch, launch),)

    async def _start(
        self, last: RunState | None, wanted: WantedModel, *, may_start: bool
    ) -> tuple[RunState, bool]:
        """Start the model that is wanted, unless another process has just started something.

        Returns:
            Its state, and whether this process has started it.
        """
        if not (may_start and self._settings.auto_start):
            raise await anyio.to_thread.run_sync(
                endings.not_running_error, last, self._settings.runs_dir
            )
        preparation = await wanted.prepare()
        # Shielded: a cancel between launch and watch would leave a keeper that nobody watches.
        async with self._lock.hold() as exclusive:
            with anyio.CancelScope(shield=True):
                if (state := await self._joined(wanted)) is not None:
                    return state, False
                if (ended := await self._attachment.current_state()) is not None:
                    await exclusive.end(ended.run)
                run = await self._launcher.launch(exclusive, preparation, None)
                (await self._watches.of(run)).own_start(LOAD_SECONDS, None)
        self._on_change()
        return await self._attachment.read_state(run), True

    async def _joined(self, wanted: WantedModel) -> RunState | None:
        """Return the state of what runs or loads, with a lease on it; None without one."""
        state = await self._state()
        # Without a record no keeper came: a process that is bringing one would hold the lock.
        if state is None or not state.is_live or state.keeper is None:
            return None
        await wanted.check_runs(state.run.launch)
        return state if await self._attachment.join(state.run) else None

    async def _once_loaded(
        self, loading: Loading, notes: Sequence[str], tell: TellLoad
    ) -> ReadyRun:
        """Wait for the run as long as it loads, and return it once it answers."""

        async def report(seconds: float, line: str) -> None:
            tell(ModelLoad(seconds, line))

        await loading.wait_reporting(math.inf, report)
        state = await self._attachment.read_state(loading.run)
        if state.state is ServerState.STARTING:
            raise StillLoadingError(state.run.launch.age_seconds)
        if not state.is_live:
            raise await anyio.to_thread.run_sync(_why_not_ready, state)
        return await self._answering(state, notes)

    async def _answering(self, state: RunState, notes: Sequence[str]) -> ReadyRun:
        """Return a run that was ready, once it has shown that it answers and is ours."""
        server = await self._describe(state, notes)
        if state.state is ServerState.UNRESPONSIVE:
            await liveness.check_alive(state.run, server.client, RECOVERY_SECONDS, {})
        await self._prove(state.run, server.client)
        return server

    async def _prove(self, run: Run, client: LlamaServerClient) -> None:
        """Check once for each connection that it leads to the llama-server that was started."""
        if self._attachment.proved_run is None:
            await proof.check(run, client)
            self._attachment.note_proof(run, client)

    async def _describe(
        self,
        state: RunState,
        notes: Sequence[str],
        load: ModelLoad | None = None,
        once_loaded: OnceLoaded | None = None,
    ) -> ReadyRun:
        return ReadyRun(
            run=state.run,
            client=await self._attachment.connect(state.run),
            slot_ctx_size=state.slot_ctx_size,
            total_slots=state.total_slots,
            patience_seconds=self._settings.unresponsive_seconds,
            read_state=self._attachment.read_state,
            notes=notes,
            may_go_on=self._settings.finish_seconds > 0,
            load=load,
            once_loaded=once_loaded,
        )


async def _is_restarted(state: RunState, wanted: WantedModel) -> bool:
    """Tell whether this is a llama-server that has crashed, and the turn gets it again."""
    has_crashed = state.state is ServerState.CRASHED and state.was_ready
    return has_crashed and await wanted.is_restarted(state.run.launch)


async def _comes_back(state: RunState, wanted: WantedModel) -> bool:
    """Tell whether this is a llama-server that was unloaded, and the turn gets it again."""
    return state.state is ServerState.IDLE and await wanted.is_restarted(state.run.launch)


def _how_far(loading: Loading) -> ModelLoad:
    return ModelLoad(*loading.describe())


def _why_not_ready(state: RunState) -> LlamaMCPError:
    if state.run.is_unloaded():
        return ModelUnloadedError(state.run.launch.alias)
    if state.was_ready:
        return endings.crash_error(state)
    return NotStartedForTurnError(endings.start_error(state))
