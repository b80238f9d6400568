"""What is going on, as tools, resources and the command line ask for it."""

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.diagnosis.log import read_log
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.status import Level, ServerConfig, ServerLog, ServerState, ServerStatus
from llama_mcp.observing.figures import OpenTurn, ServerMetrics, SlotsReport
from llama_mcp.observing.uses import with_own_clients
from llama_mcp.sessions.records import TurnStatistics

if TYPE_CHECKING:
    from llama_mcp.llama_server.api.slots import SlotsAnswer
    from llama_mcp.llama_server.engines import Engines
    from llama_mcp.llama_server.metrics.reader import MetricsReader, Reading
    from llama_mcp.llama_server.remote.engine import RemoteEngine
    from llama_mcp.llama_server.runs.named_states import State
    from llama_mcp.observing.samples import Samples
    from llama_mcp.sessions.archive import Archive
    from llama_mcp.sessions.recent_turns import RecentTurns
    from llama_mcp.turns.in_flight import InFlight
    from llama_mcp.turns.jobs.job import Job
    from llama_mcp.turns.turn import Turn

logger = logging.getLogger(__name__)

MOST_SAMPLED_MODELS = 8


class Observer:
    """Puts together what the rooms know; it changes nothing and wakes no sleeping model."""

    def __init__(
        self,
        engines: "Engines",
        metrics_reader: "Callable[[str], MetricsReader]",
        in_flight: "Callable[[], InFlight | None]",
        archive: "Callable[[], Archive]",
        *,
        may_run_several: bool = False,
    ) -> None:
        """Observe these.

        Args:
            engines: llama-servers, and what somebody else runs.
            metrics_reader: gives the reader of a model's figures, by its name; a status does not
                wait for its import.
            in_flight: gives the turns of this process; None while it has had none.
            archive: gives all sessions; imported as late.
            may_run_several: several models may run at once.
        """
        self._may_run_several = may_run_several
        self._engines = engines
        self._metrics_reader = metrics_reader
        self._in_flight = in_flight
        self._archive = archive
        self._samples: dict[str, Samples] = {}

    async def status(self, model: str | None = None) -> ServerStatus:
        """Return the status, with the turns of this process that wait for a slot.

        Args:
            model: of which model, by its name; None for the one that was started last, or runs.
                So it is for all that follows, and an unknown name raises UnknownModelError.
        """
        status = await self._engines.status(model)
        waiting = {"waiting_turns": self._waiting_turns() or None}
        return with_own_clients(status, self._open_turns()).model_copy(update=waiting)

    async def recent_turns(
        self, limit: int = 50, since_utc: str = "", *, owner: str | None
    ) -> "RecentTurns":
        """Return the turns under way in all processes, and those that ended last.

        Args:
            limit: at most this many that ended.
            since_utc: only those that ended later.
            owner: whose turns; None for all, which only the machine's own people may see.

        Raises:
            ArchiveError: the archive cannot be read.
        """
        return await self._archive().recent_turns(limit, since_utc, owner=owner)

    def samples(self, model: str) -> "Samples":
        """Return what was seen of a model over time, while somebody looked: overview.py.

        Args:
            model: as figures name it; only of the newest eight something is kept.
        """
        from llama_mcp.observing.samples import Samples

        if model not in self._samples:
            for oldest in list(self._samples)[: 1 - MOST_SAMPLED_MODELS]:
                del self._samples[oldest]
            self._samples[model] = Samples()
        return self._samples[model]

    async def config(self, model: str | None = None) -> ServerConfig:
        """Return the running server's settings, else those that a start would use now."""
        return await self._engines.config(model)

    async def metrics(self, model: str | None = None, *, owner: str | None) -> ServerMetrics:
        """Return llama-server's figures with what our own turns saw; also while none runs.

        Args:
            model: of which model.
            owner: whose turns; None for those of all.
        """
        return await self._with_turns(await self._reading(model), owner)

    async def prometheus_text(self, *, owner: str | None) -> str:
        """Return llama-server's own metrics and ours, as a Prometheus server scrapes them.

        Args:
            owner: whose turns; None for those of all.
        """
        from llama_mcp.observing.prometheus import prometheus_text

        if self._may_run_several or await self._engines.elsewhere.are_named():
            return await self._prometheus_text_of_models(owner)
        reading = await self._reading(None)
        metrics = await self._with_turns(reading, owner)
        # On a thread: the first import of what writes it takes a while.
        return await anyio.to_thread.run_sync(
            prometheus_text, metrics, reading.cpu_seconds, reading.text
        )

    async def _prometheus_text_of_models(self, owner: str | None) -> str:
        from llama_mcp.observing.prometheus import ModelFigures, prometheus_text_of_models

        found: dict[str, ModelFigures] = {}

        async def look(state: RunState) -> None:
            model = state.run.launch.alias
            reading = await self._metrics_reader(model).read(state)
            found[model] = ModelFigures(model, reading.figures, reading.cpu_seconds, reading.text)

        seen = await self._engines.own.observe_all()
        states = [state for state in seen if isinstance(state, RunState)]

        async def look_elsewhere(engine: "RemoteEngine") -> None:
            reading = await self._engines.elsewhere.read_figures(engine)
            model = reading.figures.model or ""
            found[model] = ModelFigures(model, reading.figures, text=reading.text)

        async with anyio.create_task_group() as tasks:
            for state in states:
                tasks.start_soon(look, state)
            for engine in await self._engines.elsewhere.all():
                tasks.start_soon(look_elsewhere, engine)
        here = [state.run.launch.alias for state in states]
        models = [found[name] for name in (*here, *sorted(found.keys() - set(here)))]
        own_turns = await self._own_turns(owner) or []
        # On a thread: the first import of what writes it takes a while.
        return await anyio.to_thread.run_sync(
            prometheus_text_of_models, models, self._waiting_turns(), own_turns
        )

    async def slots(self, model: str | None = None, *, owner: str) -> SlotsReport:
        """Return what each slot is doing, and which sessions of the owner generate or wait."""
        elsewhere = self._engines.elsewhere
        if (engine := await elsewhere.meant(model)) is not None:
            state, look = await elsewhere.figures_of(engine).read_slots()
            open_turns = self._open_turns()
            turns = [each for each in open_turns if elsewhere.has_served(engine, each.serving_id)]
            return _report(state, look, turns, owner)
        seen = await self._engines.observe(model)
        state, look = await self._metrics_reader(_model_of(seen)).read_slots(seen)
        return _report(state, look, await self._turns_with(seen), owner)

    async def log_end(
        self, lines: int, level: Level | None = None, model: str | None = None
    ) -> ServerLog:
        """Return the end of the last llama-server's log; an empty one when there never was one.

        Args:
            lines: at most this many.
            level: only lines of this level and worse.
            model: of which model.
        """
        if (engine := await self._engines.elsewhere.meant(model)) is not None:
            from llama_mcp.llama_server.elsewhere.looking import log_elsewhere

            return await log_elsewhere(engine)
        seen = await self._engines.observe(model)
        if seen is None:
            of_it = f" with {model}" if model else ""
            note = f"There is no log: no llama-server was started{of_it} yet."
            return ServerLog(note=note)
        return await anyio.to_thread.run_sync(read_log, seen.run.log_path, lines, level)

    async def _reading(self, model: str | None) -> "Reading":
        if (engine := await self._engines.elsewhere.meant(model)) is not None:
            return await self._engines.elsewhere.read_figures(engine)
        seen = await self._engines.observe(model)
        reading = await self._metrics_reader(_model_of(seen)).read(seen)
        if model is None or reading.figures.model is not None:
            return reading
        return replace(reading, figures=reading.figures.model_copy(update={"model": model}))

    async def _turns_with(self, seen: "State | None") -> "list[Turn | Job]":
        """Return the turns of this process, but those of other runs and of engines elsewhere."""
        turns = self._open_turns()
        states = await self._engines.own.observe_all() if turns else []
        is_elsewhere = self._engines.elsewhere.serves
        others = {state.run.name for state in states if seen is None or state.run != seen.run}
        others |= {turn.serving_id for turn in turns if is_elsewhere(turn.serving_id)}
        return [turn for turn in turns if turn.serving_id not in others]

    def _open_turns(self) -> "list[Turn | Job]":
        in_flight = self._in_flight()
        return in_flight.open_turns() if in_flight else []

    def _waiting_turns(self) -> int:
        in_flight = self._in_flight()
        return in_flight.waiting if in_flight else 0

    async def _with_turns(self, reading: "Reading", owner: str | None) -> ServerMetrics:
        figures = reading.figures.model_dump()
        own_turns = await self._own_turns(owner)
        if own_turns is None:
            figures["missing"] = [*figures["missing"], "own_turns"]
        return ServerMetrics(
            **figures, waiting_turns=self._waiting_turns(), own_turns=own_turns or []
        )

    async def _own_turns(self, owner: str | None) -> list[TurnStatistics] | None:
        """Return what turns saw, for each model; None where that cannot be read."""
        try:
            return list(await self._archive().turn_statistics(owner=owner))
        except LlamaMCPError as error:
            logger.warning("Figures of earlier turns are missing: %s", error)
            return None


def _model_of(seen: "State | None") -> str:
    """Return the model's name; empty where it is not known."""
    return seen.run.launch.alias if isinstance(seen, RunState) else ""


def _report(
    state: ServerState, look: "SlotsAnswer", all_turns: "list[Turn | Job]", owner: str
) -> SlotsReport:
    turns = [turn for turn in all_turns if turn.owner == owner]
    waiting = [turn for turn in turns if turn.reply.is_waiting]
    is_untold = look.slots is None and not look.is_sleeping and state is ServerState.READY
    return SlotsReport(
        state=state,
        is_sleeping=look.is_sleeping or None,
        slots=look.slots or [],
        generating=[_open_turn(turn) for turn in turns if turn not in waiting],
        waiting=sorted(map(_open_turn, waiting), key=lambda turn: turn.place or math.inf),
        turns_of_others=len(all_turns) - len(turns) or None,
        missing=["slots"] if is_untold else [],
    )


def _open_turn(turn: "Turn | Job") -> OpenTurn:
    place = turn.reply.queue_place
    return OpenTurn(
        session_id=turn.session_id, turn=turn.number, place=place.number if place else None
    )
