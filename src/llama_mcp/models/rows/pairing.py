"""Which projector lets a model see or hear: of those in its folder the one that was made for it.

llama.cpp takes the closest bits of all in a folder (common/download.cpp), which is wrong where a
folder holds several models. Here the width must be the same, and then the names must have most in
common; only then bits count.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from llama_mcp.models.facts import ModelFacts
from llama_mcp.models.quant_names import QUANT, bits_of

# A projector is worse than its model where it has fewer bits, and no better with more.
_PREFERRED = ("F16", "BF16", "Q8_0")
_WORD = re.compile(r"[^\W\d_]+|\d+")
# They tell no model from another.
_EMPTY = frozenset(
    {
        *("mmproj", "projector", "proj", "vision", "audio", "clip"),
        *("model", "ggml", "gguf", "text", "it", "instruct", "chat", "base"),
    }
)
_SHORTEST_FAMILY = 3


class Named:
    """A model or a projector, as far as pairing goes by it."""

    def __init__(self, path: Path, name: str, facts: ModelFacts) -> None:
        self.path = path
        self.facts = facts
        self._text = QUANT.sub(" ", f"{name} {facts.name or ''}".lower())

    @cached_property
    def words(self) -> frozenset[str]:
        """The words and numbers by which it is told from others."""
        return frozenset(_WORD.findall(self._text)) - _EMPTY

    @cached_property
    def family(self) -> frozenset[str]:
        """Those that cannot be of any model."""
        return frozenset(
            word for word in self.words if word.isalpha() and len(word) >= _SHORTEST_FAMILY
        )

    def is_as_wide_as(self, other: "Named") -> bool:
        """Tell whether one can be for the other; of what says no width that is not known."""
        widths = self.facts.embedding_length, other.facts.embedding_length
        return widths[0] == widths[1] or not all(widths)


def paired(models: Sequence[Named], projectors: Sequence[Named]) -> dict[Path, Path]:
    """Return the projector of each model that has one; all are of one folder or snapshot."""
    most = {each.path: _most_alike(each, models) for each in projectors}
    chosen: dict[Path, Path] = {}
    for model in models:
        fitting = [each for each in projectors if _belongs(each, model, most[each.path])]
        if fitting:
            chosen[model.path] = min(fitting, key=lambda each: _rank(each, model)).path
    return chosen


def _belongs(projector: Named, model: Named, most: int | None) -> bool:
    if not projector.is_as_wide_as(model):
        return False
    if most is None or not projector.family or not model.family:
        return True
    # Of two models as wide, one has more of the projector's name: Qwen2.5-VL-7B, Qwen2.5-7B.
    is_kin = not projector.family.isdisjoint(model.family)
    return is_kin and _alike(projector, model) == most


def _most_alike(projector: Named, models: Sequence[Named]) -> int | None:
    """Return how much of its name any model has; None where there is no choice."""
    if len(models) == 1:
        return None
    possible = (each for each in models if projector.is_as_wide_as(each))
    return max((_alike(projector, each) for each in possible), default=0)


def _rank(projector: Named, model: Named) -> tuple[int, bool, int, int, str]:
    """Return what makes one of several projectors the right one; less is better."""
    quant = projector.facts.quant or ""
    is_other = quant not in _PREFERRED
    place = len(_PREFERRED) if is_other else _PREFERRED.index(quant)
    return -_alike(projector, model), is_other, _distance(quant, model), place, str(projector.path)


def _distance(quant: str, model: Named) -> int:
    return abs(bits_of(quant) - bits_of(model.facts.quant or ""))


def _alike(one: Named, other: Named) -> int:
    return len(one.words & other.words)
