"""Room for one more model: which of those that run are stopped for it, and what forbids that.

A model is never stopped while it is used: while a reply is under way, or another process holds a
lease on it; nor one that is to be kept, or was used a short time ago. None is stopped where that
would not be enough. What decides is pure; Room looks and acts.
"""

import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import anyio.to_thread

from llama_mcp.llama_server.busy_slots import busy_slots
from llama_mcp.llama_server.choosing.crowding import Crowding, crowding_of
from llama_mcp.llama_server.model_errors import NoRoomError
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.leaving import leaving
from llama_mcp.llama_server.runs.members import memory_of
from llama_mcp.llama_server.runs.run_state import RunState, once_unloaded
from llama_mcp.llama_server.runs.start_lock import Exclusive
from llama_mcp.llama_server.starting.fit_note import FitQuestion
from llama_mcp.llama_server.status import ServerState
from llama_mcp.llama_server.use import TurnsUnderway, Use
from llama_mcp.settings import LlamaServerSettings
from llama_mcp.wording import counted, lasting, size_text


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
    is_promised: bool = False
    """A call of this process has just got it, and has no turn in the archive yet."""
    busy_slots: int = 0
    """How many replies it generates; known only just before it is stopped."""

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
        others = "; ".join(filter(None, map(_of_whom, resident.others)))
        return Refusal(f"is used by another llama-mcp process{others and f' ({others})'}", None)
    if swap_after_seconds < 0:
        return Refusal("is not stopped for another (LLAMA_MCP_SWAP_AFTER_SECONDS=-1)", None)
    left = max(0.0, swap_after_seconds - resident.quiet_seconds)
    if resident.generating:
        # Its time of quiet begins when a reply ends; of one that was left nobody says when.
        longest = max(resident.generating, key=lambda use: not use.is_left)
        return Refusal(f"is in use: {longest}", 0.0 if longest.is_left else swap_after_seconds)
    if resident.is_promised:
        return Refusal("is in use: a call of this llama-mcp has just begun with it", left)
    if resident.busy_slots:
        busy = counted(resident.busy_slots, "reply is", "replies are")
        return Refusal(f"is in use: {busy} being generated", left)
    if resident.state.state is ServerState.STARTING:
        return Refusal("is loading", left)
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
            NoRoomError: what runs may not be stopped, and nothing was.
        """
        notes: list[str] = []
        # What was found to be used only when it was about to be stopped.
        raced: dict[Path, Resident] = {}
        while residents := await self._residents(exclusive, sparing, raced):
            lack = await self._lack(model, residents, memory, sparing, has_ended=bool(notes))
            if lack is None:
                break
            movable = await self._movable(lack)
            if movable is None:
                refused = self._refused(model, lack)
                if lack.crowding is None or not lack.crowding.fits_somehow:
                    raise refused
                notes.append(f"{model} has less memory than it could have: {refused.why}.")
                break
            async with leaving(movable.state.run):
                used = await self._still_used(movable)
                if used is not None:
                    raced[movable.state.run.folder] = used
                    continue
                await exclusive.end(movable.state.run)
            quiet = lasting(movable.quiet_seconds)
            notes.append(f"{movable.model} was stopped to make room, unused for {quiet}.")
        return tuple(notes)

    async def resident(self, state: RunState) -> Resident:
        """Look at a model that runs."""
        run = state.run
        underway = [use for use in await self.turns_underway() if use.may_use(run.name)]
        busy = {use.pid for use in underway}
        others = [use for use in self._attachment.others(run) if use.pid not in busy]
        is_promised = self._attachment.promises.is_made(run)
        return Resident(state, run.quiet_seconds(), underway, others, is_promised)

    async def _residents(
        self, exclusive: Exclusive, spared: Collection[str], raced: Mapping[Path, Resident]
    ) -> list[Resident]:
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
                found.append(raced.get(state.run.folder) or await self.resident(state))
        return found

    async def _lack(
        self,
        model: str,
        residents: Sequence[Resident],
        memory: FitQuestion | None,
        spared: Collection[str],
        *,
        has_ended: bool,
    ) -> "_Lack | None":
        """Return what a model lacks beside those that run; None where it has room."""
        # Another file of the same name, whose place it takes.
        namesakes = [each for each in residents if each.model == model]
        if namesakes:
            return _Lack(namesakes, len(namesakes), "another file with that name runs")
        limit = self._settings.max_models
        too_many = len(residents) + 1 - limit
        if too_many > 0:
            return _Lack(residents, too_many, _full(limit))
        if memory is None:
            return None
        going = await self._pids_of(spared)
        without = partial(_crowding, memory, going=going, has_ended_another=has_ended)
        crowding = await without(residents)
        if crowding is None:
            return None
        return _Lack(residents, 1, crowding.why, crowding, without)

    async def _pids_of(self, models: Collection[str]) -> frozenset[int]:
        """Return the processes of what the start replaces."""
        states = await self._attachment.readable_states() if models else []
        return frozenset().union(*(s.pids for s in states if s.run.launch.alias in models))

    async def _movable(self, lack: "_Lack") -> Resident | None:
        """Return what is stopped first; None where all that may be stopped would not be enough."""
        after = self._settings.swap_after_seconds
        free = [each for each in lack.residents if refusal_of(each, after) is None]
        if len(free) < lack.must_go:
            return None
        if lack.without is not None and await lack.without(free) is None:
            return None
        return max(free, key=lambda each: each.quiet_seconds)

    async def _still_used(self, movable: Resident) -> Resident | None:
        """Look once more at what is about to be stopped, and return it if it must stay after all.

        Newcomers wait meanwhile. What llama-server does for others than us, only it can say.
        """
        now = await self.resident(movable.state)
        now = replace(now, busy_slots=await busy_slots(movable.state, self._attachment))
        return now if refusal_of(now, self._settings.swap_after_seconds) is not None else None

    def _refused(self, wanted: str, lack: "_Lack") -> NoRoomError:
        after = self._settings.swap_after_seconds
        refusals = [(each, refusal_of(each, after)) for each in lack.residents]
        waits = [left for _, why in refusals if why and (left := why.waiting_seconds) is not None]
        return NoRoomError(
            wanted,
            [f"{each.model} ({_size_of(each)}) {why.why}" for each, why in refusals if why],
            lack.why,
            waiting_seconds=min(waits, default=math.inf),
        )


@dataclass(frozen=True, slots=True)
class _Lack:
    """The room that a model lacks."""

    residents: Sequence[Resident]
    """Those of which some have to go."""
    must_go: int
    """At least so many."""
    why: str
    crowding: Crowding | None = None
    """Where it is memory that it lacks."""
    without: Callable[[Sequence[Resident]], Awaitable[Crowding | None]] | None = None
    """What these take from it; None where it is not memory that it lacks."""


async def _crowding(
    memory: FitQuestion,
    residents: Sequence[Resident],
    *,
    going: frozenset[int],
    has_ended_another: bool,
) -> Crowding | None:
    pids = frozenset().union(*(each.state.pids for each in residents))
    judge = partial(crowding_of, memory, pids, going, has_ended_another=has_ended_another)
    return await anyio.to_thread.run_sync(judge)


def _full(limit: int) -> str:
    most = "one model runs at a time" if limit == 1 else f"at most {limit} models run at once"
    return f"{most} (LLAMA_MCP_MAX_MODELS={limit})"


def _of_whom(use: Use) -> str:
    """Say which process, and when it asked last, as far as that is known."""
    pid = f"pid {use.pid}" if use.pid else ""
    return pid if use.seconds is None else f"{pid or 'it'} asked last {lasting(use.seconds)} ago"


def _size_of(resident: Resident) -> str:
    held = memory_of(resident.state.pids)
    return size_text(held) if held else "memory not known"
