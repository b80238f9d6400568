"""The Prometheus texts of several llama-servers as one valid text, with a label `model`; pure.

In a valid text a family stands once and in one piece, with its HELP and its TYPE.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

LABEL = "model"
# What a Prometheus server makes of a label of a target that is its own, too.
_THEIR_OWN = "exported_model"
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
# Samples of these types have a name longer than their family's.
_PARTS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
_ANY_TYPE = "untyped"


@dataclass(slots=True)
class _Family:
    type: str = ""
    help: str = ""
    samples: list[str] = field(default_factory=list)


def merged(texts: Mapping[str, str]) -> str:
    """Return all texts as one, each sample with the name of its model.

    A family that has another type in another text is untyped. Names that the text format has not
    always had are left out.

    Args:
        texts: valid texts by the names of their models.
    """
    families: dict[str, _Family] = {}
    for model, text in texts.items():
        _take(families, model, text.splitlines())
    return "".join(_told(name, family) for name, family in families.items() if family.samples)


def _take(families: dict[str, _Family], model: str, lines: Iterable[str]) -> None:
    types: dict[str, str] = {}
    for line in lines:
        words = line.split(None, 3)
        if words[:2] == ["#", "TYPE"] and len(words) == 4:
            types[words[2]] = words[3]
            family = families.setdefault(words[2], _Family())
            is_other = family.type not in ("", words[3])
            family.type = _ANY_TYPE if is_other else words[3]
        elif words[:2] == ["#", "HELP"] and len(words) == 4:
            family = families.setdefault(words[2], _Family())
            family.help = family.help or words[3]
        elif words and not line.lstrip().startswith("#"):
            for sample in _samples(line):
                family = families.setdefault(_family_of(sample.name, types), _Family())
                family.samples.append(_line(model, sample))


def _samples(line: str) -> "Iterator[Sample]":
    # Imported here: it takes a while, and few ask for it. Alone, a line keeps the name that it has.
    from prometheus_client.parser import text_string_to_metric_families

    for family in text_string_to_metric_families(f"{line}\n"):
        yield from (sample for sample in family.samples if _NAME.fullmatch(sample.name))


def _family_of(name: str, types: Mapping[str, str]) -> str:
    for type_, parts in _PARTS.items():
        for part in parts:
            family = name.removesuffix(part)
            if family != name and types.get(family) == type_:
                return family
    return name


def _line(model: str, sample: "Sample") -> str:
    from prometheus_client.utils import floatToGoString

    theirs = {_THEIR_OWN if name == LABEL else name: text for name, text in sample.labels.items()}
    labels = ",".join(
        f'{name}="{_quoted(text)}"' for name, text in {LABEL: model, **theirs}.items()
    )
    at = "" if sample.timestamp is None else f" {round(float(sample.timestamp) * 1000)}"
    value: str = floatToGoString(sample.value)  # type: ignore[no-untyped-call]  # it has no types
    return f"{sample.name}{{{labels}}} {value}{at}\n"


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _told(name: str, family: _Family) -> str:
    about = f"# HELP {name} {family.help}\n" if family.help else ""
    return f"{about}# TYPE {name} {family.type or _ANY_TYPE}\n{''.join(family.samples)}"
