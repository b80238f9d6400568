"""Figures and slots of an engine that somebody else runs, as far as it gives them."""

from collections import deque
from dataclasses import dataclass

import anyio
import anyio.to_thread

from llama_mcp.llama_server.api.metrics_text import Exposition, Samples, parse_exposition
from llama_mcp.llama_server.api.shared_answer import SharedAnswer
from llama_mcp.llama_server.api.slots import SlotsAnswer, count_in_metrics, slots_in
from llama_mcp.llama_server.elsewhere.telling import missing_of, state_of
from llama_mcp.llama_server.metrics.figures import (
    LlamaServerFigures,
    figures_of,
    missing_figures,
)
from llama_mcp.llama_server.metrics.reader import (
    MAX_AGE_SECONDS,
    NOW_SECONDS,
    OF_THE_MACHINE,
    Reading,
)
from llama_mcp.llama_server.remote.engine import RemoteEngine
from llama_mcp.llama_server.remote.look import RemoteLook
from llama_mcp.llama_server.status import ServerState


@dataclass(frozen=True, slots=True)
class _Trace:
    """What later readings are compared with."""

    at: float
    samples: Samples


class FiguresElsewhere:
    """Reads the figures of one engine; one that has none is asked for none."""

    def __init__(self, engine: RemoteEngine) -> None:
        self._engine = engine
        self._readings: SharedAnswer[Reading] = SharedAnswer(MAX_AGE_SECONDS)
        self._traces: deque[_Trace] = deque(maxlen=int(NOW_SECONDS / MAX_AGE_SECONDS))

    async def read(self) -> Reading:
        """Return its figures; only its state when it does not answer."""
        return await self._readings.get(None, self._read)

    async def read_slots(self) -> tuple[ServerState, SlotsAnswer]:
        """Return its state and what its slots are doing."""
        look = await self._engine.look()
        raw = await self._engine.slots() if look.has_slots and look.problem is None else None
        return state_of(look), SlotsAnswer(slots_in(raw))

    async def _read(self) -> Reading:
        look = await self._engine.look()
        figures = LlamaServerFigures(state=state_of(look), model=self._engine.shown_model or None)
        if look.problem is not None:
            return Reading(figures)
        if not look.has_metrics:
            missing = [*missing_figures({}), *OF_THE_MACHINE, *_rest(look)]
            return Reading(figures.model_copy(update={"missing": missing}))
        text = await self._engine.metrics_text()
        # On a thread: the parser's first import takes a while.
        exposition = await anyio.to_thread.run_sync(parse_exposition, text or "")
        told = self._compared(exposition)
        slots = count_in_metrics(exposition.samples, look.total_slots)
        missing = [*missing_figures(exposition.samples), *OF_THE_MACHINE]
        content = figures.model_dump() | told | {"slots": slots, "missing": missing}
        valid = text if exposition.is_valid else None
        return Reading(LlamaServerFigures.model_validate(content), valid)

    def _compared(self, exposition: Exposition) -> dict[str, float]:
        """Return what the samples tell, beside what they told within the last minute."""
        now = anyio.current_time()
        while self._traces and self._traces[0].at < now - NOW_SECONDS:
            self._traces.popleft()
        earlier = next((trace.samples for trace in self._traces if trace.samples), None)
        self._traces.append(_Trace(now, exposition.samples))
        return figures_of(exposition.samples, earlier)


def _rest(look: RemoteLook) -> list[str]:
    return ["slots"] if "slots" in missing_of(look) else []
