"""All that a person wants to see of llama-server at once, as one record."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.status import ServerState, ServerStatus, Slot
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.sessions.recent_turns import EndedTurn, RecentTurns, UnderwayTurn
from llama_mcp.sessions.texts import seconds_since

if TYPE_CHECKING:
    from llama_mcp.observing.observer import Observer
    from llama_mcp.sessions.archive import Archive


class UnderwayRow(UnderwayTurn, frozen=True):
    """A reply that is being generated, by whichever llama-mcp process."""

    seconds: float
    """How long it has been under way."""


class Overview(BaseModel, frozen=True):
    """What llama-server does, and for whom."""

    status: ServerStatus
    slots: list[Slot] = []
    turns: list[UnderwayRow] = []
    """Oldest first."""
    metrics: ServerMetrics | None = None
    """Of a llama-server that answers."""
    problems: list[str] = []
    """Why something is missing."""


async def overview(
    observer: "Observer",
    archive: "Callable[[], Archive | None]",
    model: str | None = None,
    *,
    owner: str | None,
    asker: str = LOCAL_OWNER,
) -> Overview:
    """Return what is going on; nothing is started, woken or made for it.

    Args:
        observer: tells it, and keeps a sample of it.
        archive: gives what knows which replies are under way; None where there is no archive.
        model: of which model, as `Observer.status`.
        owner: whose turns, as `Observer.recent_turns`.
        asker: who asks; conversations of others are not named.
    """
    seen, _ended = await overview_and_ended(
        observer, archive, model, Ended(limit=0), owner=owner, asker=asker
    )
    return seen


@dataclass(frozen=True, slots=True)
class Ended:
    """Which turns that have ended are wanted besides."""

    limit: int
    since_utc: str = ""
    """Only those that ended later."""


async def overview_and_ended(
    observer: "Observer",
    archive: "Callable[[], Archive | None]",
    model: str | None,
    wanted: Ended,
    *,
    owner: str | None,
    asker: str,
) -> tuple[Overview, list[EndedTurn]]:
    """Return what `overview` does, and turns that have ended, newest first: of one look."""
    status, problems = await observer.status(model), list[str]()
    slots: list[Slot] = []
    metrics = None
    if status.state is ServerState.READY:
        slots = (await observer.slots(model, owner=asker)).slots
        metrics = await observer.metrics(model, owner=owner)
        observer.samples(metrics.model or "").note(metrics, slots, time.time())
    recent = RecentTurns()
    try:
        if archive() is not None:
            recent = await observer.recent_turns(wanted.limit, wanted.since_utc, owner=owner)
    except LlamaMCPError as error:
        problems = [error.situation]
    turns = [_row(without_others(turn, asker)) for turn in recent.underway]
    seen = Overview(status=status, slots=slots, turns=turns, metrics=metrics, problems=problems)
    return seen, [without_others(turn, asker) for turn in recent.ended]


def _row(turn: UnderwayTurn) -> UnderwayRow:
    return UnderwayRow(**dict(turn), seconds=round(seconds_since(turn.started_at_utc), 1))


Looked = TypeVar("Looked", UnderwayTurn, EndedTurn, UnderwayRow)


def without_others(turn: Looked, asker: str) -> Looked:
    """Return the turn as it is told: of another's conversation nothing but its figures."""
    if turn.owner == asker:
        return turn
    unsaid = {"session_id", "title", "tail"} & type(turn).model_fields.keys()
    return turn.model_copy(update=dict.fromkeys(unsaid, ""))
