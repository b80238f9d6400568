"""A start that was asked for: the run that it joins, replaces or launches, and its end."""

from collections.abc import Callable, Sequence

import anyio
import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server import status_report
from llama_mcp.llama_server.choosing.start_parts import StartParts
from llama_mcp.llama_server.errors import ReplaceFailedError, StartInterruptedError
from llama_mcp.llama_server.in_use import refuse_while_in_use
from llama_mcp.llama_server.runs import endings
from llama_mcp.llama_server.runs.named_states import State
from llama_mcp.llama_server.runs.run import Run, UnreadableRun
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.runs.start_lock import Exclusive
from llama_mcp.llama_server.starting.launcher import refusal_to_join
from llama_mcp.llama_server.starting.loading import Loading, Progress
from llama_mcp.llama_server.starting.preparation import Preparation, prepare
from llama_mcp.llama_server.status import LaunchArguments, ServerStatus


class Starts:
    """Starts that callers ask this process for."""

    def __init__(self, parts: StartParts) -> None:
        self._settings = parts.settings
        self._environment = parts.environment
        self._lock = parts.lock
        self._launcher = parts.launcher
        self._watches = parts.watches
        self._room = parts.room
        self._attachment = parts.attachment

    async def start(
        self,
        arguments: LaunchArguments,
        *,
        replace: bool,
        wait_seconds: float,
        timeout_seconds: float,
        progress: Progress,
        on_launch: Callable[[], None],
    ) -> ServerStatus:
        """Start llama-server, or join one that runs with the same settings.

        Args:
            arguments: what the call asks for.
            replace: stop one that runs with other settings; it is started again when the new one
                does not start. Where several models may run, only one of the same name is stopped.
            wait_seconds: how long to wait for it; loading goes on afterwards.
            timeout_seconds: after so long without being ready it is stopped.
            progress: called while it loads.
            on_launch: called once it is launched, or joined.

        Returns:
            Its status: ready, or starting when the wait was over first.

        Raises:
            LlamaMCPError: what was asked cannot be, or it ended while loading.
        """
        preparation = await prepare(self._settings, self._environment, arguments)
        async with self._lock.hold() as exclusive:
            loading, is_new, notes = await self._join_or_launch(
                exclusive, preparation, replace, timeout_seconds
            )
        on_launch()
        loading.waiters += 1
        try:
            await loading.wait_reporting(wait_seconds, progress)
            loading.is_left_to_go_on = True
        finally:
            loading.waiters -= 1
            if not (loading.waiters or loading.is_over or loading.is_left_to_go_on):
                loading.is_taken_back = True
                await self._launcher.abandon(loading.run)
            state = await self._attachment.read_state(loading.run)
        # One that was ready may be idle by now, where this process has stood still.
        if not (state.is_live or state.run.is_unloaded()):
            raise await anyio.to_thread.run_sync(self._start_error, state, loading)
        client = await self._attachment.connect(state.run)
        memory_bytes = await status_report.measure_memory(state)
        status = await status_report.report(state, client, memory_bytes, loading.difference)
        told = {"already_running": not is_new, "notes": [*notes, *(status.notes or [])] or None}
        return status.model_copy(update=told)

    async def _join_or_launch(
        self, exclusive: Exclusive, preparation: Preparation, replace: bool, timeout_seconds: float
    ) -> tuple[Loading, bool, Sequence[str]]:
        """Return the watch over the run to wait for, whether it is a new run, and notes."""
        replaced: Run | UnreadableRun | None = None
        state = self._in_its_place(await self._attachment.settled_states(), preparation)
        if state is not None:
            refusal = refusal_to_join(
                state,
                preparation.config,
                takes_any_port=preparation.takes_any_port,
                named=preparation.named,
            )
            if refusal is None and isinstance(state, RunState):
                # One that is ending is waited for, and then launched again.
                if await self._attachment.join(state.run):
                    return await self._watches.of(state.run), False, ()
            elif refusal is not None and not replace:
                raise refusal
            else:
                await refuse_while_in_use(state, self._attachment, self._room.turns_underway)
                replaced = state.run
        await self._launcher.check_free_workers(preparation)
        spared = {replaced.launch.alias} if isinstance(replaced, Run) else set()
        if isinstance(replaced, UnreadableRun):  # whoever looks for room has to read what runs
            await exclusive.end(replaced)
        notes = await self._room.make(
            exclusive, preparation.in_use.alias, preparation.memory, spared
        )
        # Shielded: a cancel between launch and watch would leave a keeper that nobody watches.
        with anyio.CancelScope(shield=True):
            if replaced is not None:
                await exclusive.end(replaced)
            await self._launcher.clear_away(exclusive, preparation.in_use.alias)
            run = await self._launcher.launch(exclusive, preparation, replaced)
            loading = await self._watches.of(run)
        loading.own_start(timeout_seconds, replaced.launch if isinstance(replaced, Run) else None)
        return loading, True, notes

    def _in_its_place(self, states: Sequence[State], preparation: Preparation) -> State | None:
        """Return what lives where the start would be: its model, or the only one that may run."""
        # Without a record no keeper came: a process that is bringing one would hold the lock.
        live = [state for state in states if state.is_live and state.keeper is not None]
        wanted = preparation.in_use.alias
        unreadable = [state for state in live if not isinstance(state, RunState)]
        own = [s for s in live if isinstance(s, RunState) and s.run.launch.alias == wanted]
        rivals = live if self._settings.max_models == 1 else []
        return next(iter([*unreadable, *own, *rivals]), None)

    def _start_error(self, state: RunState, loading: Loading) -> LlamaMCPError:
        error = endings.start_error(state)
        if loading.replaced is None or isinstance(error, StartInterruptedError):
            return error
        return ReplaceFailedError(error, loading.replaced.alias)
