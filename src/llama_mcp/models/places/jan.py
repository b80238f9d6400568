"""Jan: a folder for each model, whose `model.yml` says which file is it.

`model_path` and `mmproj_path` are written from Jan's data folder on, or in full for a file that
was imported where it lies (issue 6018 of jan). Before 0.6 the models were in `models/`.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from llama_mcp.models.places.folders import MAX_DEPTH, gguf_files, plain_name, read_note, walk
from llama_mcp.models.places.found import Found
from llama_mcp.models.places.surroundings import Surroundings, below

_NOTE = "model.yml"
_MODELS = (("llamacpp", "models"), ("models",))
# The only two of its lines that are needed; the rest of YAML is not.
_LINE = re.compile(
    r"^(?P<key>model_path|mmproj_path):[ \t]+"
    r"""(?:"(?P<double>[^"\n]*)"|'(?P<single>[^'\n]*)'|(?P<plain>[^\s#'"][^#\n]*?))"""
    r"[ \t]*(?:#.*)?\r?$",
    re.MULTILINE,
)


def find(surroundings: Surroundings) -> Iterator[Found]:
    """Give the models of every data folder that Jan may have."""
    for data in data_folders(surroundings):
        for below_data in _MODELS:
            yield from _models_in(data.joinpath(*below_data), data)


def data_folders(surroundings: Surroundings) -> list[Path]:
    """Return the data folders on the platform, the present one first."""
    if surroundings.platform == "darwin":
        present = below(surroundings.home, "Library", "Application Support", "Jan", "data")
    elif surroundings.platform == "win32":
        present = below(surroundings.roaming(), "Jan", "data")
    else:
        share = surroundings.variable("XDG_DATA_HOME") or surroundings.below_home(".local", "share")
        config = surroundings.variable("XDG_CONFIG_HOME") or surroundings.below_home(".config")
        present = [*below(share, "Jan", "data"), *below(config, "Jan", "data")]
    return [*present, *below(surroundings.home, "jan")]


def _models_in(models: Path, data: Path) -> Iterator[Found]:
    noted: set[Path] = set()
    for folder, files in walk(models, MAX_DEPTH):
        if _NOTE not in files:
            continue
        lines = _lines(read_note(folder / _NOTE))
        model, projector = (_path(lines.get(key), data) for key in ("model_path", "mmproj_path"))
        if model is not None:
            name = folder.relative_to(models).as_posix()
            if projector is not None:
                yield Found(projector, plain_name(Path(name, projector.name)), "jan", folder)
            yield Found(model, name, "jan", folder, is_own_name=True, projector=projector)
            noted |= {model, projector or model}
    for path in gguf_files(models):
        if path not in noted:
            name = plain_name(path.relative_to(models))
            yield Found(path, name, "jan", path.parent)


def _lines(text: str) -> dict[str, str]:
    found = _LINE.finditer(text)
    return {line["key"]: line["double"] or line["single"] or line["plain"] or "" for line in found}


def _path(text: str | None, data: Path) -> Path | None:
    return data / text if text else None
