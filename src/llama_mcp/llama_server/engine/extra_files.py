"""The files that further flags name, such as a projector, an adapter or a template.

llama-server is started in the folder of its run, so they become absolute paths, and what is not
there is told before anything starts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.llama_server.engine.capabilities import Capabilities, Flag
from llama_mcp.paths import absolute_path, check_path, expand_path
from llama_mcp.setting_texts import ON_WINDOWS

# How --help marks a value that is a file or a folder.
_FILE_VALUES = ("FNAME", "FILE", "PATH", "DIR")
# Flags whose file llama-server writes, so that it need not be there before.
_WRITTEN = ("--lookup-cache-dynamic", "--log-prompts-dir", "--slot-save-path")
# How --help says that a value can be several files.
_SEVERAL = ("comma-separated", ",...")
# How many files of a folder are looked at for an error's advice, and how many it names.
_LOOKED_AT = 1000
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _NamedFile:
    path: Path
    scale: str
    """What follows an adapter's file, such as `:0.5`."""


def with_files_found(
    extra_args: Sequence[str],
    capabilities: Capabilities,
    allowed: Sequence[Path],
    folder: Path | None = None,
) -> tuple[str, ...]:
    """Return checked extra_args with every file as an absolute path.

    Args:
        extra_args: flags and values.
        capabilities: what the engine knows.
        allowed: the only folders from which files may come; empty for any.
        folder: where a relative path begins; None for the working folder.

    Raises:
        InvalidArgumentError: a file is not there, or no file can have such a name.
        PathNotAllowedError: a file is outside the allowed folders.
    """
    found = list(extra_args)
    for position, name in enumerate(extra_args[:-1]):
        flag = capabilities.find(name)
        if flag and any(word in flag.value for word in _FILE_VALUES):
            files = list(_files(name, flag, extra_args[position + 1], folder))
            for file in files:
                check_path(file.path, "extra_args", allowed)
                _check_there(name, flag, file.path)
            found[position + 1] = ",".join(f"{file.path}{file.scale}" for file in files)
    return tuple(found)


def without_scale(value: str, *, windows: bool) -> str:
    """Return the file of `FNAME:SCALE`; the colon after a drive letter belongs to the file."""
    path, _, scale = value.rpartition(":")
    is_drive = windows and len(path) == 1
    return path if path and not is_drive and _is_number(scale) else value


def _files(name: str, flag: Flag, value: str, folder: Path | None) -> Iterator[_NamedFile]:
    several = any(word in flag.value + flag.description for word in _SEVERAL)
    for part in value.split(",") if several else [value]:
        file = without_scale(part, windows=ON_WINDOWS) if several else part
        path = expand_path(f"the file of {name} in extra_args", file)
        yield _NamedFile(absolute_path(folder / path if folder else path), part[len(file) :])


def _check_there(name: str, flag: Flag, path: Path) -> None:
    if path.exists() or any(known in _WRITTEN for known in flag.names):
        return
    folder = "" if path.parent.is_dir() else f", nor does the folder {path.parent}"
    raise InvalidArgumentError(
        "extra_args",
        f"names {path} for {name}, which does not exist{folder}",
        f"{_beside(path)}Correct the path, or leave {name} out.",
    )


def _beside(path: Path) -> str:
    """A sentence with the files of the folder that have the same ending, the nearest first."""
    try:
        names = sorted(entry.name for entry in islice(path.parent.iterdir(), _LOOKED_AT))
    except OSError:
        return ""
    names = [name for name in names if name.lower().endswith(path.suffix.lower())]
    names.sort(key=lambda name: -SequenceMatcher(None, name.lower(), path.name.lower()).ratio())
    return f"{path.parent} holds: {', '.join(names[:_SHOWN])}. " if names else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
