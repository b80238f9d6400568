"""Room for one more model: which of those that run are stopped for it, and what forbids that.

A model is never stopped while it is used: while a reply is under way, or another process holds a
lease on it; nor one that is to be kept, or was used a short time ago. What decides is pure; Room
looks and acts.
"""

import math
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import anyio.to_thread

from llama_mcp.llama_server.choosing.crowding import Crowding, crowding_of
from llama_mcp.llama_server.model_errors import NoRoomError
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.members import memory_of
from llama_mcp.llama_server.runs.run_state import RunState, once_unloaded
from llama_mcp.llama_server.runs.start_lock import Exclusive
from llama_mcp.llama_server.starting.fit_note import FitQuestion
from llama_mcp.llama_server.status import ServerState
from llama_mcp.llama_server.use import Use
from llama_mcp.settings import LlamaServerSettings
from llama_mcp.wording import lasting, size_text

TurnsUnderway = Callable[[], Awaitable[Sequence[Use]]]


@dataclass(frozen=True, slots=True)
class Resident:
    """A model that runs, as whoever wants its room sees it."""

    state: RunState
    quiet_seconds: float
    """Since a turn used it last."""
    generating: Sequence[Use]
    """The replies under way with it."""
    others: Sequence[Use]
    """Other processes that use it."""

    @property
    def model(self) -> str:
        """Its name."""
        return self.state.run.launch.alias


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a model stays."""

    why: str
    """A clause that follows its name."""
    waiting_seconds: float | None
    """For so long it stays at least, if nobody uses it; None where waiting does not help."""


def refusal_of(resident: Resident, swap_after_seconds: float) -> Refusal | None:
    """Return why a model stays where it is; None when it may be stopped to make room."""
    if resident.state.run.launch.keep:
        return Refusal("is kept (keep = true)", None)
    if resident.others:
        pids = ", ".join(str(use.pid) for use in resident.others if use.pid)
        return Refusal(f"is used by another llama-mcp process{pids and f' (pid {pids})'}", None)
    if swap_after_seconds < 0:
        return Refusal("is not stopped for another (LLAMA_MCP_SWAP_AFTER_SECONDS=-1)", None)
    if resident.generating:
        return Refusal(f"is in use: {resident.generating[0]}", 0.0)
    if resident.state.state is ServerState.STARTING:
        return Refusal("is loading", 0.0)
    left = swap_after_seconds - resident.quiet_seconds
    if left > 0:
        used = f"was used {lasting(resident.quiet_seconds)} ago"
        return Refusal(f"{used}, and makes room {lasting(swap_after_seconds)} after its use", left)
    return None


class Room:
    """Makes room among the models of one home."""

    def __init__(
        self,
        settings: LlamaServerSettings,
        attachment: Attachment,
        turns_underway: TurnsUnderway,
    ) -> None:
        """Take what it works with.

        Args:
            settings: the operator's.
            attachment: tells what runs, and who uses it.
            turns_underway: returns the turns that are not over, of all processes.
        """
        self._settings = settings
        self._attachment = attachment
        self.turns_underway = turns_underway

    async def make(
        self,
        exclusive: Exclusive,
        model: str,
        memory: FitQuestion | None = None,
        sparing: Collection[str] = (),
    ) -> tuple[str, ...]:
        """Stop what has to go for a start, the one that was used longest ago first.

        Args:
            exclusive: what the start lock gave.
            model: the model that is to be launched.
            memory: its start, as far as memory goes; None of one that has run before.
            sparing: models that take no room of their own: what the start replaces.

        Returns:
            What its caller should know: what was stopped, or takes memory from it.

        Raises:
            NoRoomError: what runs may not be stopped.
        """
        notes: list[str] = []
        while residents := await self._residents(exclusive, sparing):
            # Another file of the same name, whose place it takes.
            namesakes = [each for each in residents if each.model == model]
            is_full = bool(namesakes) or len(residents) >= self._settings.max_models
            crowding = None
            if not is_full and memory is not None:
                crowding = await _crowding(memory, residents, has_ended_another=bool(notes))
            if not is_full and crowding is None:
                break
            movable = self._movable(namesakes or residents)
            if movable is None:
                refused = self._refused(model, namesakes or residents, crowding)
                if crowding is None or not crowding.fits_somehow:
                    raise refused
                notes.append(f"{model} has less memory than it could have: {refused.why}.")
                break
            await exclusive.end(movable.state.run)
            quiet = lasting(movable.quiet_seconds)
            notes.append(f"{movable.model} was stopped to make room, unused for {quiet}.")
        return tuple(notes)

    async def resident(self, state: RunState) -> Resident:
        """Look at a model that runs."""
        underway = [use for use in await self.turns_underway() if use.may_use(state.run.name)]
        busy = {use.pid for use in underway}
        others = [use for use in self._attachment.others(state.run) if use.pid not in busy]
        return Resident(state, state.run.quiet_seconds(), underway, others)

    async def _residents(self, exclusive: Exclusive, spared: Collection[str]) -> list[Resident]:
        """Look at the other models that run; one that is ending is waited for."""
        found = []
        for state in await self._attachment.readable_states():
            if state.run.launch.alias in spared:
                continue
            if state.is_unloading:
                state = await once_unloaded(state, partial(self._attachment.read_state, state.run))
            if state.state is ServerState.STOPPING:
                await exclusive.end(state.run)
            # Without a record no keeper came: one that is being brought would hold the lock.
            elif state.is_live and state.keeper is not None:
                found.append(await self.resident(state))
        return found

    def _movable(self, residents: Sequence[Resident]) -> Resident | None:
        after = self._settings.swap_after_seconds
        free = [each for each in residents if refusal_of(each, after) is None]
        return max(free, key=lambda each: each.quiet_seconds, default=None)

    def _refused(
        self, wanted: str, residents: Sequence[Resident], crowding: Crowding | None
    ) -> NoRoomError:
        refusals = [
            (each, refusal)
            for each in residents
            if (refusal := refusal_of(each, self._settings.swap_after_seconds)) is not None
        ]
        waits = [each.waiting_seconds for _, each in refusals if each.waiting_seconds is not None]
        limit = self._settings.max_models
        return NoRoomError(
            wanted,
            [f"{each.model} ({_size_of(each)}) {refusal.why}" for each, refusal in refusals],
            crowding.why if crowding else _full(limit, wanted, residents),
            waiting_seconds=min(waits, default=math.inf),
        )


async def _crowding(
    memory: FitQuestion, residents: Sequence[Resident], *, has_ended_another: bool
) -> Crowding | None:
    def judge() -> Crowding | None:
        pids = frozenset().union(*(each.state.pids for each in residents))
        return crowding_of(memory, pids, has_ended_another=has_ended_another)

    return await anyio.to_thread.run_sync(judge)


def _full(limit: int, wanted: str, residents: Sequence[Resident]) -> str:
    if any(each.model == wanted for each in residents):
        return "another file with that name runs"
    most = "one model runs at a time" if limit == 1 else f"at most {limit} models run at once"
    return f"{most} (LLAMA_MCP_MAX_MODELS={limit})"


def _size_of(resident: Resident) -> str:
    held = memory_of(resident.state.pids)
    return size_text(held) if held else "memory not known"
