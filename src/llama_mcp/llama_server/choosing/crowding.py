"""Whether a model fits less well into memory beside others than it would without them."""

from collections.abc import Sequence
from dataclasses import dataclass

from llama_mcp.llama_server.choosing.memory_left import available_without
from llama_mcp.llama_server.engine.devices import Device
from llama_mcp.llama_server.starting.fit_note import FitQuestion, judged_with
from llama_mcp.models.fitting import Available, Fit, Verdict
from llama_mcp.wording import size_text

# The best first.
_VERDICTS: tuple[Verdict, ...] = ("gpu", "partly_gpu", "cpu", "workers", "no")
_INSTEAD: dict[Verdict, str] = {
    "partly_gpu": "would be on the GPU in part only",
    "cpu": "would be on the processor only",
    "workers": "would need the memory of its RPC workers",
    "no": "would not fit into memory",
}


@dataclass(frozen=True, slots=True)
class Crowding:
    """A model that has less room than it would have if others ended."""

    why: str
    """What would become of it beside them, with figures; a clause."""
    fits_somehow: bool
    """It can be started beside them all the same, though not as well."""


def crowding_of(
    question: FitQuestion,
    pids: frozenset[int],
    going: frozenset[int],
    *,
    has_ended_another: bool,
) -> Crowding | None:
    """Return what models that run take away from a start; None when they take nothing from it.

    Memory is looked at, so it belongs on a thread.

    Args:
        question: the start.
        pids: the processes of these models.
        going: the processes of what the start replaces, which leave in any case.
        has_ended_another: whether a llama-server has ended for it since the devices were listed.
    """

    def judged_without(gone: frozenset[int]) -> Fit | None:
        def measure(devices: Sequence[Device]) -> Available:
            return available_without(devices, gone)

        return judged_with(question, has_ended_another=has_ended_another, measure=measure)

    beside, alone = judged_without(going), judged_without(going | pids)
    if beside is None or alone is None or _rank(beside) <= _rank(alone):
        return None
    why = (
        f"beside what runs it {_INSTEAD[beside.fits]}: it needs about "
        f"{size_text(beside.needs_bytes)}"
    )
    return Crowding(why, fits_somehow=beside.fits != "no")


def _rank(fit: Fit) -> int:
    return _VERDICTS.index(fit.fits)
