"""All that a person wants to see of llama-server at once, as one record."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import BaseModel

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.status import ServerState, ServerStatus, Slot
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.sessions.records import TurnUnderway

if TYPE_CHECKING:
    from llama_mcp.observing.observer import Observer
    from llama_mcp.sessions.archive import Archive


class UnderwayRow(BaseModel, frozen=True):
    """A reply that is being generated, by whichever llama-mcp process."""

    session_id: str | None = None
    """Of a session of this machine's own clients; others are not named."""
    title: str | None = None
    owner: str
    """Whose the session is."""
    seconds: float
    """How long it has been under way."""
    pid: int | None = None
    """The process that asked for it; None when it is not known."""
    is_left: bool | None = None
    """That process has ended, and llama-server goes on with the reply."""


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
    observer: "Observer", archive: "Callable[[], Archive | None]", model: str | None = None
) -> Overview:
    """Return what is going on, for the person whose machine this is.

    Nothing is started, woken or made for it.

    Args:
        observer: tells it.
        archive: gives what knows which replies are under way; None where there is no archive.
        model: of which model, as `Observer.status`.
    """
    status, problems = await observer.status(model), list[str]()
    slots: list[Slot] = []
    metrics = None
    if status.state is ServerState.READY:
        slots = (await observer.slots(model, owner=LOCAL_OWNER)).slots
        metrics = await observer.metrics(model, owner=None)
    try:
        known = archive()
        turns = [_row(turn) for turn in await known.turns_underway()] if known else []
    except LlamaMCPError as error:
        turns, problems = [], [error.situation]
    return Overview(status=status, slots=slots, turns=turns, metrics=metrics, problems=problems)


def _row(turn: TurnUnderway) -> UnderwayRow:
    is_named = turn.owner == LOCAL_OWNER
    return UnderwayRow(
        session_id=turn.session_id if is_named else None,
        title=turn.title if is_named else None,
        owner=turn.owner,
        seconds=round(turn.age_seconds, 1),
        pid=turn.writer_pid,
        is_left=turn.is_left or None,
    )
