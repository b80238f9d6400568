"""Reads llama-server's metrics: one reader for all callers of this process.

Requests are shared and their answers cached for a second, or until a turn begins, goes on or ends.
A model that sleeps is not woken.
"""

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from llama_mcp.llama_server.api import slots
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.metrics_text import Exposition, Samples, parse_exposition
from llama_mcp.llama_server.api.shared_answer import SharedAnswer
from llama_mcp.llama_server.api.slots import SlotsAnswer
from llama_mcp.llama_server.metrics import process_use
from llama_mcp.llama_server.metrics.figures import (
    GpuMemory,
    LlamaServerFigures,
    figures_of,
    missing_figures,
)
from llama_mcp.llama_server.metrics.gpu_memory import gpu_memory_of
from llama_mcp.llama_server.metrics.process_use import ProcessUse
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.named_states import State
from llama_mcp.llama_server.runs.run_state import RunState, check_health
from llama_mcp.llama_server.status import ServerState, SlotCount

MAX_AGE_SECONDS = 1.0
# How far back a rate that ends in `_now` reaches.
NOW_SECONDS = 60.0
# The shortest time between two readings of the processor that are compared.
CPU_SAMPLE_SECONDS = 0.1
OF_THE_MACHINE = ("memory_bytes", "cpu_percent", "gpu_memory")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read at one moment."""

    figures: LlamaServerFigures
    text: str | None = None
    """llama-server's own Prometheus text, when it is one."""
    cpu_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class _Trace:
    """What later readings of the same process are compared with."""

    at: float
    pid: int
    samples: Samples
    use: ProcessUse | None


@dataclass(frozen=True, slots=True)
class _MachineUse:
    """What llama-server takes of the machine."""

    use: ProcessUse | None = None
    cpu_percent: float | None = None
    gpu_memory: list[GpuMemory] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Return what is known, by the names of LlamaServerFigures."""
        found = {
            "memory_bytes": self.use.memory_bytes if self.use else None,
            "cpu_percent": self.cpu_percent,
            "gpu_memory": self.gpu_memory or None,
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class _Answers:
    """What llama-server answered."""

    state: ServerState
    is_sleeping: bool = False
    text: str | None = None
    exposition: Exposition = field(default_factory=lambda: Exposition({}, is_valid=False))
    slots: SlotCount | None = None


class MetricsReader:
    """Reads metrics and slots of one model's llama-server."""

    def __init__(self, attachment: Attachment, last_change: Callable[[], Hashable]) -> None:
        """Take what it reads from.

        Args:
            attachment: this process's attachment to runs.
            last_change: returns a new value after every write to the archive.
        """
        self._attachment = attachment
        self._last_change = last_change
        self._readings: SharedAnswer[Reading] = SharedAnswer(MAX_AGE_SECONDS)
        self._slots_answers: SharedAnswer[SlotsAnswer] = SharedAnswer(MAX_AGE_SECONDS)
        self._traces: deque[_Trace] = deque(maxlen=int(NOW_SECONDS / MAX_AGE_SECONDS))

    async def read(self, run_state: State | None) -> Reading:
        """Return the metrics of llama-server; only its state when it does not run.

        Args:
            run_state: its state now; None when there never was one.
        """
        if not isinstance(run_state, RunState):
            state = run_state.state if run_state else ServerState.STOPPED
            return Reading(LlamaServerFigures(state=state))
        return await self._readings.get(self._about(run_state), partial(self._read, run_state))

    async def read_slots(self, run_state: State | None) -> tuple[ServerState, SlotsAnswer]:
        """Return llama-server's state and what its slots are doing.

        Args:
            run_state: as for `read`.
        """
        if not isinstance(run_state, RunState) or run_state.state is not ServerState.READY:
            return (run_state.state if run_state else ServerState.STOPPED), SlotsAnswer(None)
        client = await self._attachment.connect(run_state.run)
        ask = partial(slots.read_slots, run_state.run.launch.config, client)
        return run_state.state, await self._slots_answers.get(self._about(run_state), ask)

    def _about(self, run_state: RunState) -> Hashable:
        return run_state.run.folder, run_state.state, self._last_change()

    async def _read(self, run_state: RunState) -> Reading:
        self._forget_old_traces(run_state.pid)
        machine = await self._measure_machine(run_state)
        answers = _Answers(run_state.state)
        if run_state.state is ServerState.READY:
            answers = await _ask(run_state, await self._attachment.connect(run_state.run))
        samples = answers.exposition.samples
        told = figures_of(samples, _oldest(self._traces)) | machine.figures()
        if run_state.pid is not None:
            self._traces.append(_Trace(anyio.current_time(), run_state.pid, samples, machine.use))
        content = {
            "state": answers.state,
            "model": run_state.run.launch.alias,
            "is_sleeping": answers.is_sleeping or None,
            "uptime_seconds": run_state.uptime_seconds,
            "slots": answers.slots,
            "missing": _missing(answers, told),
            **told,
        }
        cpu_seconds = machine.use.cpu_seconds if machine.use else None
        return Reading(LlamaServerFigures.model_validate(content), answers.text, cpu_seconds)

    async def _measure_machine(self, run_state: RunState) -> _MachineUse:
        # In a thread: the system may have to look at every process of the machine.
        pids = await anyio.to_thread.run_sync(lambda: run_state.pids)
        if not pids:
            return _MachineUse()
        latest = time.monotonic() - CPU_SAMPLE_SECONDS
        uses = (trace.use for trace in reversed(self._traces) if trace.use)
        before = next((use for use in uses if use.at <= latest), None)
        if before is None:
            before = await anyio.to_thread.run_sync(process_use.measure, pids)
            await anyio.sleep(CPU_SAMPLE_SECONDS)
        use = await anyio.to_thread.run_sync(process_use.measure, pids)
        if use is None:
            return _MachineUse()
        percent = process_use.cpu_percent(before, use) if before else None
        return _MachineUse(use, percent, await anyio.to_thread.run_sync(gpu_memory_of, use.pids))

    def _forget_old_traces(self, pid: int | None) -> None:
        oldest = anyio.current_time() - NOW_SECONDS
        while self._traces and (self._traces[0].at < oldest or self._traces[0].pid != pid):
            self._traces.popleft()


async def _ask(run_state: RunState, client: LlamaServerClient) -> _Answers:
    config, state = run_state.run.launch.config, run_state.state
    if await slots.is_asleep(config, client):
        return _Answers(
            state, is_sleeping=True, slots=SlotCount(total=run_state.total_slots, busy=0)
        )
    text = await client.metrics_text()
    if text is None:
        run_state, state = await check_health(run_state, client)
    # On a thread: the parser's first import takes a while.
    exposition = await anyio.to_thread.run_sync(parse_exposition, text or "")
    count = slots.count_in_metrics(exposition.samples, run_state.total_slots)
    if count is None and state is ServerState.READY:
        count = slots.count_slots((await slots.read_slots(config, client)).slots)
    return _Answers(state, False, text if exposition.is_valid else None, exposition, count)


def _missing(answers: _Answers, told: Mapping[str, Any]) -> list[str]:
    """Name the figures that a llama-server that is ready and awake does not give."""
    if answers.state is not ServerState.READY or answers.is_sleeping:
        return []
    missing = missing_figures(answers.exposition.samples)
    missing += [] if answers.slots else ["slots"]
    return missing + [name for name in OF_THE_MACHINE if name not in told]


def _oldest(traces: Iterable[_Trace]) -> Samples | None:
    return next((trace.samples for trace in traces if trace.samples), None)
