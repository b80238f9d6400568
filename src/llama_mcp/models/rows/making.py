"""From files to rows: parts of a split model as one, each with its projector, and what is no model.

The header decides what a file is; its name counts only where that cannot be read.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from llama_mcp.models.facts import ModelFacts
from llama_mcp.models.model import Model
from llama_mcp.models.rows.files import GgufFile
from llama_mcp.models.rows.names import Candidates, names_of, shown_name
from llama_mcp.models.rows.pairing import Named, paired
from llama_mcp.models.shards import without_number

_NO_MODEL_NAME = re.compile(
    r".*mmproj.*|imatrix.*|.*[-_.]imatrix|(?:mtp|eagle3|dflash|dspark)-.*",
    re.IGNORECASE | re.DOTALL,
)
_NAMED_PARTS = 3
_NOTHING = ModelFacts("model", "base", "")
_PROJECTOR_INSIDE = (
    "it holds its projector too, as Ollama's own conversions do, and llama.cpp cannot load that; "
    "take another GGUF of this model"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A model, with all that it can be called.

    Attributes:
        model: What is shown.
        names: Its places and own names, in full.
    """

    model: Model
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoModel:
    """A file that is a part of a model, or made for one.

    Attributes:
        path: It.
        names: What it is called in full.
        facts: What its header says.
        models: What it is a projector of.
    """

    path: Path
    names: tuple[str, ...]
    facts: ModelFacts
    models: tuple[Model, ...] = ()


def rows_of(files: Sequence[GgufFile]) -> tuple[list[Row], list[NoModel]]:
    """Return the models among files, and what else their headers say that they are."""
    wholes = [_Whole(tuple(parts)) for parts in _wholes(files)]
    models = [whole for whole in wholes if whole.is_model]
    projectors = [whole for whole in wholes if whole.role == "projector"]
    pairs = _pairs(models, projectors)
    names = names_of([Candidates(model.path, model.candidates) for model in models])
    rows = [
        Row(model.row(name, pairs.get(model.path)), model.names)
        for model, name in zip(models, names, strict=True)
    ]
    return rows, [
        NoModel(other.path, other.names, other.facts, _models_with(other.path, rows))
        for other in wholes
        if not other.is_model and other.facts is not None
    ]


@dataclass(frozen=True)
class _Whole:
    """One model or other thing, in all its files that are there, the first one first."""

    files: tuple[GgufFile, ...]

    @property
    def first(self) -> GgufFile:
        return self.files[0]

    @property
    def path(self) -> Path:
        return self.first.path

    @property
    def facts(self) -> ModelFacts | None:
        return self.first.facts

    @property
    def role(self) -> str | None:
        return self.facts.role if self.facts else None

    @property
    def is_model(self) -> bool:
        if self.facts is None:
            return _NO_MODEL_NAME.fullmatch(self.path.stem) is None
        return self.role == "model"

    @cached_property
    def names(self) -> tuple[str, ...]:
        all_found = (self.first.found, *self.first.others)
        return tuple(dict.fromkeys(shown_name(without_number(each.name)) for each in all_found))

    @property
    def candidates(self) -> list[str]:
        """What it may be called, the shortest first."""
        name = self.names[0]
        return [name] if self.first.found.is_own_name else [name.rpartition("/")[2], name]

    @property
    def problem(self) -> str | None:
        """Why llama-server cannot load it."""
        if self.first.found.problem:
            return self.first.found.problem
        inside = _PROJECTOR_INSIDE if self.facts and self.facts.has_projector_inside else None
        return self._missing() or self.first.problem or inside

    def row(self, name: str, projector: "GgufFile | None") -> Model:
        return Model(
            name=name,
            path=self.path,
            size_bytes=sum(file.size_bytes for file in self.files),
            source=self.first.found.source,
            facts=self.facts,
            projector=projector.path if projector else None,
            projector_facts=projector.facts if projector else None,
            problem=self.problem,
        )

    def _missing(self) -> str | None:
        """Say which of the files of a split model are not there."""
        shard = self.first.shard
        if shard is None:
            count = self.facts.shards if self.facts else 1
            named = f"it is one of the {count} files of a split model, and its name does not say so"
            return named if count > 1 else None
        there = {file.shard.number for file in self.files if file.shard}
        count = shard.count - len(there)
        missing = (number for number in range(1, shard.count + 1) if number not in there)
        names = [shard.part(number).name for number in islice(missing, _NAMED_PARTS)]
        if not names:
            return None
        more = f" and {count - len(names)} more" if count > len(names) else ""
        are = "is" if count == 1 else "are"
        listed = shown_name(", ".join(names))
        return f"of its {shard.count} files {listed}{more} {are} missing"


def _wholes(files: Iterable[GgufFile]) -> Iterator[list[GgufFile]]:
    """Give the files of each model, in their order."""
    together: dict[object, list[GgufFile]] = defaultdict(list)
    for file in files:
        together[file.shard.whole if file.shard else file.path].append(file)
    for parts in together.values():
        yield sorted(parts, key=lambda part: part.shard.number if part.shard else 0)


def _pairs(models: Sequence[_Whole], projectors: Sequence[_Whole]) -> dict[Path, GgufFile]:
    """Return the projector of each model that has one, by the model's file."""
    by_path = {
        found.path: whole.first
        for whole in projectors
        for found in (whole.first.found, *whole.first.others)
    }
    groups: dict[Path, list[_Whole]] = defaultdict(list)
    for whole in (*models, *projectors):
        # A file that lies in several folders can have its projector in any.
        for found in (whole.first.found, *whole.first.others):
            if whole not in groups[found.group][-1:]:
                groups[found.group].append(whole)
    pairs: dict[Path, GgufFile] = {}
    for group in groups.values():
        projectors_here = [_named(each) for each in group if each.role == "projector"]
        if projectors_here:
            models_here = [_named(each) for each in group if each.role == "model"]
            for path, projector_path in paired(models_here, projectors_here).items():
                pairs.setdefault(path, by_path[projector_path])
    # What a program says goes before what names say.
    for model in models:
        said = (by_path.get(path) for path in model.first.named_projectors)
        if projector := next(filter(None, said), None):
            pairs[model.path] = projector
    return pairs


def _named(whole: _Whole) -> Named:
    return Named(whole.path, whole.path.stem, whole.first.facts or _NOTHING)


def _models_with(projector: Path, rows: Sequence[Row]) -> tuple[Model, ...]:
    return tuple(row.model for row in rows if row.model.projector == projector)
