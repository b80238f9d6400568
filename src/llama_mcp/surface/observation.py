"""What is going on, put together from the rooms: llama-server's figures, our turns, the archive."""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import BaseModel

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.metrics.figures import OwnTurns, Quantiles, ServerMetrics
from llama_mcp.llama_server.status import ServerState, Slot
from llama_mcp.services import Services

if TYPE_CHECKING:
    from llama_mcp.llama_server.metrics.reader import Reading
    from llama_mcp.sessions.sqlite.statistics import TurnStatistics

logger = logging.getLogger(__name__)


async def own_metrics(services: Services) -> ServerMetrics:
    """Return llama-server's metrics with what our own turns saw; also while none runs."""
    return await complete(await services.metrics_reader.read(), services)


async def complete(reading: "Reading", services: Services) -> ServerMetrics:
    """Return the metrics of a reading with the turns that wait here and those in the archive."""
    own_turns: list[OwnTurns] = []
    missing = list(reading.metrics.missing)
    try:
        own_turns = _own_turns(await services.archive.turn_statistics())
    except LlamaMCPError as error:
        logger.warning("Figures of earlier turns are missing: %s", error)
        missing.append("own_turns")
    more = {
        "waiting_turns": services.in_flight.waiting,
        "own_turns": own_turns,
        "missing": missing,
    }
    return reading.metrics.model_copy(update=more)


class OpenTurn(BaseModel, frozen=True):
    """A turn of this process that is not over."""

    session_id: str
    turn: int
    place: int | None = None
    """In the queue for a slot, 1 being next; None when it generates."""


class SlotsReport(BaseModel, frozen=True):
    """What every slot is doing, and for which of our sessions."""

    state: ServerState
    is_sleeping: bool | None = None
    slots: list[Slot] = []
    generating: list[OpenTurn] = []
    waiting: list[OpenTurn] = []
    missing: list[str] = []


async def report_slots(services: Services) -> SlotsReport:
    """Return what the slots are doing; a model that sleeps is not woken."""
    state, look = await services.metrics_reader.look_at_slots()
    turns = [
        OpenTurn(session_id=turn.session_id, turn=turn.number, place=turn.reply.queue_place or None)
        for turn in services.in_flight.open_turns()
    ]
    is_untold = look.slots is None and not look.is_sleeping and state is ServerState.READY
    return SlotsReport(
        state=state,
        is_sleeping=look.is_sleeping or None,
        slots=look.slots or [],
        generating=[turn for turn in turns if turn.place is None],
        waiting=sorted((turn for turn in turns if turn.place), key=lambda turn: turn.place or 0),
        missing=["slots"] if is_untold else [],
    )


def _own_turns(statistics: "Iterable[TurnStatistics]") -> list[OwnTurns]:
    return [
        OwnTurns(
            model=turns.model,
            turns=turns.turns,
            failures=turns.failures,
            first_token_ms=_quantiles(turns.first_token_ms_median, turns.first_token_ms_p95),
            tokens_per_second=_quantiles(
                turns.tokens_per_second_median, turns.tokens_per_second_p95
            ),
        )
        for turns in statistics
    ]


def _quantiles(median: float | None, p95: float | None) -> Quantiles | None:
    if median is None or p95 is None:
        return None
    return Quantiles(median=round(median, 2), p95=round(p95, 2))
