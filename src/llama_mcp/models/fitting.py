"""Whether a model fits into what memory is free, and the largest context with which it does.

Advice for a caller and never a rule: what is free changes, and llama.cpp finds its own way. Nothing
is measured here.
"""

from dataclasses import dataclass, replace
from typing import Literal

from llama_mcp.models.facts import ModelFacts
from llama_mcp.models.model import Model
from llama_mcp.models.needs import CACHE_STEP, Needs, StartOptions, needs_of

# Where it fits: all of it on GPUs, a part of its layers there, in RAM alone, only with the memory
# of RPC workers, or nowhere.
Verdict = Literal["gpu", "partly_gpu", "cpu", "workers", "no"]
# What llama.cpp leaves free of each GPU when it chooses the layers itself (-fitt).
GPU_MARGIN_BYTES = 1024 * 2**20
ALL_LAYERS = -1


@dataclass(frozen=True, slots=True)
class Available:
    """The memory that a llama-server could have, in bytes.

    Attributes:
        ram_bytes: What programs can have of RAM.
        gpus_bytes: What is free of each GPU that the engine uses.
        is_unified: Whether the GPU's memory is RAM, so that the same bytes are in both.
        workers_bytes: What is free of each device of the RPC workers, on other machines.
    """

    ram_bytes: int
    gpus_bytes: tuple[int, ...] = ()
    is_unified: bool = False
    workers_bytes: tuple[int, ...] = ()

    @property
    def total_bytes(self) -> int:
        """All of it, each byte once."""
        here = self.ram_bytes + (0 if self.is_unified else sum(self.gpus_bytes))
        return here + sum(self.workers_bytes)

    def with_workers(self) -> "Available":
        """Return it as llama-server sees it: the devices of workers are GPUs to it."""
        own = () if self.is_unified else self.gpus_bytes
        return Available(self.ram_bytes, (*own, *self.workers_bytes))

    def on_gpus(self, margin_bytes: int) -> int:
        """Return how much of a model can be on GPUs when so much of each is to stay free."""
        room = sum(max(0, free - margin_bytes) for free in self.gpus_bytes)
        return min(room, self.ram_bytes) if self.is_unified else room


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether one model fits.

    Attributes:
        fits: Where; "no" for nowhere.
        needs_bytes: All that it needs.
        max_ctx_size: The largest window of each conversation that fits, as many of them as the
            start has, and no larger than the model was trained for; None where none fits.
    """

    fits: Verdict
    needs_bytes: int
    max_ctx_size: int | None


@dataclass(frozen=True, slots=True)
class Fits:
    """Judges models, any number of them, for one start and what was free when it was measured.

    Attributes:
        available: The memory.
        options: The start.
    """

    available: Available
    options: StartOptions

    def of(self, model: Model, projector_size_bytes: int = 0) -> Fit | None:
        """Return whether a row of the library fits; None where its header could not be read."""
        if model.facts is None:
            return None
        return self.judge(model.facts, model.size_bytes, projector_size_bytes)

    def judge(self, facts: ModelFacts, size_bytes: int, projector_size_bytes: int = 0) -> Fit:
        """Return whether a model fits.

        Args:
            facts: what its header says.
            size_bytes: what all its files have.
            projector_size_bytes: what the file has that is loaded beside it.
        """
        candidate = _Candidate(self.available, facts, size_bytes, projector_size_bytes)
        fits = candidate.verdict(self.options)
        if fits == "no" and self.available.workers_bytes:
            candidate = replace(candidate, available=self.available.with_workers())
            fits = "no" if candidate.verdict(self.options) == "no" else "workers"
        return Fit(
            fits=fits,
            needs_bytes=candidate.needs(self.options).total_bytes,
            max_ctx_size=candidate.largest_context(self.options),
        )


@dataclass(frozen=True, slots=True)
class _Candidate:
    available: Available
    facts: ModelFacts
    size_bytes: int
    projector_size_bytes: int

    def needs(self, options: StartOptions) -> Needs:
        return needs_of(self.facts, self.size_bytes, options, self.projector_size_bytes)

    def verdict(self, options: StartOptions) -> Verdict:
        needs, share = self.needs(options), self._share_on_gpu(options)
        ram = self.available.ram_bytes
        if not share or not self.available.gpus_bytes:
            return "cpu" if needs.outside_gpus_bytes <= ram else "no"
        is_automatic = options.n_gpu_layers is None
        margin_bytes = GPU_MARGIN_BYTES if is_automatic else 0
        # Each GPU that is used has a driver's part of its own.
        room = self.available.on_gpus(margin_bytes + needs.driver_bytes)
        wanted = int(needs.model_bytes * share)
        if wanted > room and not is_automatic:
            return "no"
        placed = min(wanted, room)
        left = ram - placed if self.available.is_unified else ram
        if needs.outside_gpus_bytes - placed > left:
            return "no"
        if placed < needs.model_bytes // self._layers:
            return "cpu"  # not one layer
        return "gpu" if placed == needs.model_bytes else "partly_gpu"

    def largest_context(self, options: StartOptions) -> int | None:
        trained = self.facts.context_length or options.ctx_size
        if self.verdict(replace(options, ctx_size=trained)) != "no":
            return trained // CACHE_STEP * CACHE_STEP or trained
        fits, too_large = 0, -(-trained // CACHE_STEP)
        while too_large - fits > 1:
            middle = (fits + too_large) // 2
            is_too_large = self.verdict(replace(options, ctx_size=middle * CACHE_STEP)) == "no"
            fits, too_large = (fits, middle) if is_too_large else (middle, too_large)
        return fits * CACHE_STEP or None

    @property
    def _layers(self) -> int:
        # The output counts as one more (llama-model.cpp, n_layer + 1).
        return len(self.facts.shape.kv_heads) + 1

    def _share_on_gpu(self, options: StartOptions) -> float:
        layers = options.n_gpu_layers
        if layers is None or layers == ALL_LAYERS:
            return 1.0
        return min(1.0, layers / self._layers)
