"""What the caller of a start should know whose model does not fit into what memory is free.

Advice: such a start is begun all the same, since what is free changes.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import psutil

from llama_mcp.llama_server.diagnosis.free_memory import available_bytes
from llama_mcp.llama_server.engine.capabilities import Capabilities
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.engine.devices import Device, free_now
from llama_mcp.llama_server.engine.memory_options import (
    Values,
    given_values,
    is_placed_by_hand,
    placed_on,
    start_options,
    used_devices,
)
from llama_mcp.models.facts import ModelFacts
from llama_mcp.models.fitting import Available, Fit, Fits
from llama_mcp.models.needs import StartOptions
from llama_mcp.wording import size_text

# Files that are loaded beside the model.
_PROJECTOR = "--mmproj"
_COMPANIONS = ("--model-draft", "--lora", "--control-vector")


@dataclass(frozen=True, slots=True)
class FitQuestion:
    """A start, as far as memory goes.

    Attributes:
        facts: What the model's header says; None where it could not be read.
        size_bytes: What all its files have.
        config: The start.
        arguments: What llama-server gets besides: the caller's, and those for the model.
        capabilities: What the engine knows.
        devices: The GPUs that the engine lists; None where it cannot tell.
        environment: What llama-server gets.
        workers: The devices of its RPC workers; None where what they have is not known.
    """

    facts: ModelFacts | None
    size_bytes: int
    config: LaunchConfig
    arguments: Sequence[str]
    capabilities: Capabilities
    devices: Sequence[Device] | None
    environment: Mapping[str, str]
    workers: Sequence[Device] | None = ()


@dataclass(frozen=True, slots=True)
class Unfit:
    """A start that does not fit.

    Attributes:
        note: What its caller should know, in sentences.
        fitting_ctx_size: The largest that would fit with its parallel; None where none does.
    """

    note: str
    fitting_ctx_size: int | None


def why_unfit(question: FitQuestion, *, has_ended_another: bool) -> Unfit | None:
    """Return why the model does not fit; None when it does, and when that is not known.

    Memory is looked at, so it belongs on a thread.

    Args:
        question: the start.
        has_ended_another: whether a llama-server has ended for it since the devices were listed.
    """
    asked = _Asked.of(question)
    if asked is None:
        return None
    try:
        devices = asked.devices_now(has_ended_another=has_ended_another)
        fits = Fits(asked.with_workers(available_with(devices)), asked.options)
        return judged(fits, asked.facts, asked.size_bytes, asked.projector_bytes)
    except (OSError, psutil.Error):  # nothing is known, and the start itself will show it
        return None


def judged_with(
    question: FitQuestion,
    *,
    has_ended_another: bool,
    measure: Callable[[Sequence[Device]], Available] | None = None,
) -> Fit | None:
    """Return where the model fits; None when that is not known. Blocking, as `why_unfit`.

    Args:
        question: the start.
        has_ended_another: as `why_unfit`.
        measure: gives the memory to judge by, from the GPUs that are used; by default what
            is free now.
    """
    asked = _Asked.of(question)
    if asked is None:
        return None
    try:
        devices = asked.devices_now(has_ended_another=has_ended_another)
        available = asked.with_workers((measure or available_with)(devices))
        fits = Fits(available, asked.options)
        return fits.judge(asked.facts, asked.size_bytes, asked.projector_bytes)
    except (OSError, psutil.Error):
        return None


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a question comes down to."""

    question: FitQuestion
    facts: ModelFacts
    devices: Sequence[Device]
    values: Values
    options: StartOptions

    @classmethod
    def of(cls, question: FitQuestion) -> "_Asked | None":
        """Return it; None when it is not known what the model needs, or where it would be."""
        values = given_values(question.arguments, question.capabilities)
        if question.facts is None or question.devices is None or question.workers is None:
            return None
        options = start_options(question.config, values, question.capabilities)
        if is_placed_by_hand(values):
            options = replace(options, n_gpu_layers=None)
        options = placed_on(options, used_devices(question.devices, values))
        return cls(question, question.facts, question.devices, values, options)

    def devices_now(self, *, has_ended_another: bool) -> Sequence[Device]:
        """Return the GPUs that are used, with what is free of them."""
        environment = self.question.environment
        now = free_now(self.devices, environment, has_ended_another=has_ended_another)
        return used_devices(now, self.values)

    def with_workers(self, available: Available) -> Available:
        """Return the memory with that of the RPC workers."""
        workers = self.question.workers or ()
        return replace(available, workers_bytes=tuple(each.free_bytes for each in workers))

    @property
    def size_bytes(self) -> int:
        """What is loaded besides the projector."""
        return self.question.size_bytes + sum(_size(self.values.get(flag)) for flag in _COMPANIONS)

    @property
    def projector_bytes(self) -> int:
        """What the file has that is loaded beside the model."""
        return _size(self.values.get(_PROJECTOR))


def available_with(devices: Sequence[Device]) -> Available:
    """Return the memory that llama-server can have now, with the GPUs that it uses. Blocking."""
    is_unified = bool(devices) and all(device.is_unified for device in devices)
    return Available(available_bytes(), tuple(each.free_bytes for each in devices), is_unified)


def judged(
    fits: Fits, facts: ModelFacts, size_bytes: int, projector_size_bytes: int
) -> Unfit | None:
    """Return what does not fit and what would; None when all fits."""
    fit = fits.judge(facts, size_bytes, projector_size_bytes)
    if fit.fits != "no":
        return None
    options, available = fits.options, fits.available
    needed = (
        f"It may not fit into memory: with ctx_size={options.ctx_size} and "
        f"parallel={options.parallel} it needs about {size_text(fit.needs_bytes)}, and "
        f"{_available_text(available)} is available."
    )
    automatic = Fits(available, replace(options, n_gpu_layers=None))
    otherwise = automatic.judge(facts, size_bytes, projector_size_bytes)
    if options.n_gpu_layers and otherwise.fits != "no":
        layers = f"n_gpu_layers={options.n_gpu_layers}"
        with_them = f" With {layers}, ctx_size={fit.max_ctx_size} would fit."
        return Unfit(
            f"{needed} {layers} wants more on the GPU than is free there; without n_gpu_layers as "
            f"many layers go there as fit.{with_them if fit.max_ctx_size else ''}",
            fit.max_ctx_size or otherwise.max_ctx_size,
        )
    return Unfit(f"{needed} {_what_would(options, fit.max_ctx_size)}", fit.max_ctx_size)


def _what_would(options: StartOptions, max_ctx_size: int | None) -> str:
    if max_ctx_size is None:
        return (
            "The model itself is too large: a smaller one, or a smaller quant of it, would fit; so "
            "would this one if other programs ended that use much memory."
        )
    return f"With parallel={options.parallel}, ctx_size={max_ctx_size} would fit."


def _available_text(available: Available) -> str:
    if not available.workers_bytes:
        return _own_text(available)
    on_workers = size_text(sum(available.workers_bytes))
    return f"{_own_text(available)}, with {on_workers} of RPC workers,"


def _own_text(available: Available) -> str:
    if not available.gpus_bytes:
        return size_text(available.ram_bytes)
    on_gpus = size_text(sum(available.gpus_bytes))
    if available.is_unified:
        return f"{size_text(available.ram_bytes)}, which the GPU shares,"
    return f"{size_text(available.ram_bytes)} of RAM and {on_gpus} of GPU memory"


def _size(path: str | None) -> int:
    try:
        return os.stat(path).st_size if path else 0
    except (OSError, ValueError):
        return 0
