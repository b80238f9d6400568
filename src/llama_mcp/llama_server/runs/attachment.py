"""This process's attachment to the runs of one home: leases, connections, keepers that it started.

It holds at most one lease and one connection for each model: the lease (leases.py) keeps
llama-server while this process lives.
"""

import subprocess
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio.to_thread

from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.errors import StateFolderError
from llama_mcp.llama_server.runs import endings
from llama_mcp.llama_server.runs.creating import state_folder_errors
from llama_mcp.llama_server.runs.kept import Stamps
from llama_mcp.llama_server.runs.kept_looks import KeptLooks
from llama_mcp.llama_server.runs.leases import Lease, list_uses
from llama_mcp.llama_server.runs.leaving import once_decided
from llama_mcp.llama_server.runs.members import end_left_by
from llama_mcp.llama_server.runs.promises import Promises
from llama_mcp.llama_server.runs.run import Run, RunFolder, UnreadableRun, current_run
from llama_mcp.llama_server.runs.run_state import (
    RunState,
    UnreadableState,
    once_unloaded,
    read_run_state,
    read_state,
)
from llama_mcp.llama_server.runs.state_log import StateLog, log_event
from llama_mcp.llama_server.status import ServerState
from llama_mcp.llama_server.use import Use

# What stands for the model of a run whose record cannot be read.
_UNKNOWN_MODEL = ""


@dataclass(slots=True)
class _Held:
    """What this process has of one run."""

    run: RunFolder
    model: str
    lease: Lease | None = None
    client: LlamaServerClient | None = None
    is_proved: bool = False
    """Its own llama-server was proved to be the one that answers the connection."""

    async def disconnect(self) -> None:
        client, self.client, self.is_proved = self.client, None, False
        if client:
            await client.aclose()

    async def release(self) -> None:
        await self.disconnect()
        lease, self.lease = self.lease, None
        if lease:
            lease.release()


class Attachment:
    """What this process has of one home's runs."""

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._held: dict[Path, _Held] = {}
        # More than one for a moment: a keeper leaves after its llama-server.
        self._keepers: list[subprocess.Popen[bytes]] = []
        self.state_log = StateLog()
        self.promises = Promises()
        # The runs that were searched for what a killed keeper has left.
        self._searched: set[Path] = set()
        self._looks = KeptLooks(runs_dir)

    async def current_state(self) -> RunState | UnreadableState | None:
        """Return the state of the run that was started last; None when there never was one.

        llama-server is not asked.

        Raises:
            StateFolderError: the folder of runs cannot be read.
        """
        self.reap_keepers()
        with state_folder_errors(self._runs_dir):
            run = current_run(self._runs_dir)
            return await self._look(run) if run else None

    async def states(self) -> list[RunState | UnreadableState]:
        """Return the state of the last run of each model, that which was started last first.

        Raises:
            StateFolderError: the folder of runs cannot be read.
        """
        self.reap_keepers()
        with state_folder_errors(self._runs_dir):
            return [await self._look(run) for run in self._looks.runs()]

    async def settled_states(self) -> list[RunState | UnreadableState]:
        """Return the states of `states`; what is being unloaded is waited for."""
        states = await self.states()
        unloading = [each for each in states if isinstance(each, RunState) and each.is_unloading]
        for state in unloading:
            await once_unloaded(state, partial(self.read_state, state.run))
        return await self.states() if unloading else states

    async def state_of(self, model: str) -> RunState | None:
        """Return the state of the last run of a model; None without one that can be read."""
        states = [state for state in await self.states() if isinstance(state, RunState)]
        return next((state for state in states if state.run.launch.alias == model), None)

    async def readable_states(self) -> list[RunState]:
        """Return the states of `states` whose records can be read.

        Raises:
            UnreadableRunError: a record cannot be read, and its llama-server lives.
        """
        states = await self.states()
        for state in states:
            if isinstance(state, UnreadableState) and state.is_live:
                raise endings.unreadable_error(state)
        return [state for state in states if isinstance(state, RunState)]

    async def read_state(self, run: Run) -> RunState:
        """Return the state of a run, whether it is one that counts or not."""
        state = await read_run_state(run)
        self.state_log.note(state)
        return state

    async def join(self, run: Run) -> bool:
        """Take a lease on the run and note its use; return whether it is still there to be used.

        Lease and use come first, and the state is read afterwards. The keeper of an unused run
        announces its end first and looks at leases and use afterwards, so one of the two always
        sees the other. One that was to be unloaded is waited for until that is over or taken back;
        so is one that another model may take the room of.
        """
        run.note_use()
        is_new = self.take_lease(run)
        has_waited = await once_decided(run)
        if not (is_new or has_waited or run.is_unloaded()):
            return True
        read = partial(self.read_state, run)
        state = await once_unloaded(await read(), read)
        if state.is_live:
            log_event(state, "joined")
        return state.is_live

    def take_lease(self, run: Run | UnreadableRun) -> bool:
        """Take a lease on the run, so that it stays while this process lives.

        One on an older run of the same model is given back.

        Returns:
            Whether it is a new one. On a run that was there before, `join` is needed.
        """
        held = self._hold(run)
        if held.lease is not None and held.lease.is_seen():
            held.lease.note_use()
            return False
        before, held.lease = held.lease, Lease(run)
        # After the new one: of a run that is ours already, one is held all the time.
        if before is not None:
            before.release()
        for older in list(self._older_than(held)):
            if older.lease is not None:
                older.lease.release()
                older.lease = None
        return before is None

    def others(self, run: RunFolder) -> list[Use]:
        """Return which other llama-mcp processes use the run, and when each did so last."""
        held = self._held.get(run.folder)
        return list_uses(run, but=held.lease if held else None)

    async def connect(self, run: Run) -> LlamaServerClient:
        """Return the connection to the run's llama-server; one to an older run is closed."""
        held = self._hold(run)
        if (client := held.client) is None:
            # Before anything is waited for: several turns may come at once.
            client = held.client = LlamaServerClient(run.launch.url, run.launch.api_key)
            held.is_proved = False
            for older in list(self._older_than(held)):
                if older.lease is None:
                    self._held.pop(older.run.folder, None)
                await older.disconnect()
        return client

    def is_proved(self, run: Run) -> bool:
        """Tell whether the run's own llama-server was proved to be what answers the connection."""
        held = self._held.get(run.folder)
        return held is not None and held.is_proved

    def note_proof(self, run: Run, client: LlamaServerClient) -> None:
        """Remember that the run's own llama-server answers this connection, while it is ours."""
        held = self._held.get(run.folder)
        if held is not None and client is held.client:
            held.is_proved = True

    async def release(self, run: RunFolder) -> None:
        """Close the connection to a run and give back its lease; the keeper does the rest."""
        held = self._held.pop(run.folder, None)
        if held is not None:
            had_lease = held.lease is not None
            await held.release()
            if had_lease:
                await self._end_what_is_left(held.run)

    async def give_back(self, in_use: Collection[str], unused_seconds: float) -> None:
        """Give back the leases on runs that no process has used for so long.

        Args:
            in_use: the names of runs that turns of this process use, or wait for.
            unused_seconds: since when.
        """
        for held in list(self._held.values()):
            run = held.run
            if held.lease is None or not isinstance(run, Run) or run.name in in_use:
                continue
            is_loading = run.outcome() is None
            if is_loading or self.promises.is_made(run) or run.quiet_seconds() < unused_seconds:
                continue
            await self.release(run)

    async def release_all(self) -> None:
        """Close all connections and give back all leases; the keepers do the rest."""
        self._looks.forget_all()
        for held in list(self._held.values()):
            await self.release(held.run)

    async def _look(self, run: Run | UnreadableRun) -> RunState | UnreadableState:
        self._renew_lease(run)
        if (known := self._looks.state_of(run)) is not None:
            return known
        stamps = Stamps(run.record_paths)
        state = await read_state(run)
        if state.state is not ServerState.READY:
            await self._end_what_is_left(run)
        self.state_log.note(state)
        self._looks.keep(state, stamps)
        return state

    def _hold(self, run: Run | UnreadableRun) -> _Held:
        model = run.launch.alias if isinstance(run, Run) else _UNKNOWN_MODEL
        return self._held.setdefault(run.folder, _Held(run, model))

    def _older_than(self, held: _Held) -> Iterator[_Held]:
        """Give what is held of other runs of the same model."""
        others = (each for each in self._held.values() if each is not held)
        return (each for each in others if each.model == held.model)

    def _renew_lease(self, run: Run | UnreadableRun) -> None:
        """Take the lease again when somebody has deleted its file."""
        held = self._held.get(run.folder)
        # One that others see is left as it is: its time says when llama-server was last used.
        if held is not None and held.lease is not None and not held.lease.is_seen():
            with suppress(StateFolderError):
                self.take_lease(run)

    async def _end_what_is_left(self, run: RunFolder) -> None:
        """End what a killed keeper has left, should its guard have been killed with it."""
        if run.folder not in self._searched and run.has_lost_its_keeper():
            self._searched.add(run.folder)
            # In a thread: it looks at every process of the machine.
            await anyio.to_thread.run_sync(end_left_by, run)

    def own_keeper(self, keeper: "subprocess.Popen[bytes]") -> None:
        """Remember a keeper that this process started, to reap it once it has left."""
        self._keepers.append(keeper)

    def reap_keepers(self) -> int:
        """Reap the keepers of this process that have left; return how many have not."""
        self._keepers = [keeper for keeper in self._keepers if keeper.poll() is None]
        return len(self._keepers)
