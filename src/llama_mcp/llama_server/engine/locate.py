"""Where llama-server is: the path that was given, else PATH, else the embedded engine."""

import os
import shutil
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from llama_mcp.embedded import presence
from llama_mcp.keeper import spawning
from llama_mcp.llama_server.errors import EngineNotFoundError, EngineUnusableError
from llama_mcp.long_paths import MAX_CHARACTERS, for_programs, openable
from llama_mcp.models.model_file import is_gguf, is_program
from llama_mcp.paths import absolute_path, expand_path
from llama_mcp.setting_values import EMBEDDED

NAME = "llama-server"
# What Windows executes by its name; of scripts those that it starts by itself.
SUFFIXES = (".exe", ".cmd", ".bat") if sys.platform == "win32" else ("",)
EXECUTABLE = NAME + SUFFIXES[0]
# Where a release archive, an install prefix and a cmake build put it; Visual Studio's have a folder
# for each configuration.
FOLDERS_INSIDE = ("", "bin", "build/bin", "build/bin/Release", "bin/Release")
# How many folders below one are searched for an error's advice.
SEARCHED_FOLDERS = 200
_HEAD_BYTES = 4


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that takes llama-server's command line."""

    kind: Literal["llama-server", "embedded"]
    path: str
    command: tuple[str, ...]


def locate_engine(llama_cpp_path: str | None, search_path: str) -> Engine:
    """Return the llama-server to launch.

    Args:
        llama_cpp_path: a folder of llama.cpp, the executable itself, the word `embedded`, or None
            to look for one.
        search_path: the value of PATH.

    Raises:
        EngineNotFoundError: there is none.
        EngineUnusableError: the file that was given cannot be executed.
        InvalidArgumentError: no file can have such a name.
    """
    if llama_cpp_path and llama_cpp_path.strip().lower() == EMBEDDED:
        return _embedded_engine()
    if llama_cpp_path and llama_cpp_path.strip():
        given = expand_path("llama_cpp_path", llama_cpp_path)
        is_only_a_name = given.parent == Path() and given.name.lower() in (NAME, EXECUTABLE)
        found = _on_path(search_path) if is_only_a_name and not given.exists() else None
        return _engine_from(found) if found else _engine_at(given)
    found = _on_path(search_path)
    if found:
        return _engine_from(found)
    if presence.embedded_engine_installed():
        return _embedded_engine()
    raise EngineNotFoundError(
        "no path was given, PATH holds none and the embedded engine is not installed",
        "Pass llama_cpp_path (the folder of a llama.cpp release or build), or ask "
        f"the user to install the embedded engine: {presence.INSTALL_COMMAND}",
    )


def _on_path(search_path: str) -> Path | None:
    if sys.platform != "win32":
        found = shutil.which(NAME, path=search_path)
        return Path(found) if found else None
    # Not shutil.which: it looks into the current folder first, which is the client's, often one
    # with files from elsewhere.
    folders = (Path(entry.strip('"')) for entry in search_path.split(os.pathsep))
    return next(filter(None, (_in(folder) for folder in folders if folder.is_absolute())), None)


def _in(folder: Path) -> Path | None:
    # Not Path.is_file, which raises for a folder that is locked.
    candidates = (folder / f"{NAME}{suffix}" for suffix in SUFFIXES)
    return next(filter(os.path.isfile, candidates), None)


def _engine_at(given: Path) -> Engine:
    path = Path(openable(str(absolute_path(given))))
    if path.is_file():
        return _engine_from(path)
    if path.exists():
        return _engine_below(path)
    # Windows users may leave the suffix out.
    named = (path.with_name(path.name + suffix) for suffix in SUFFIXES if path.name)
    whole = next(filter(Path.is_file, named), None)
    if whole:
        return _engine_from(whole)
    raise EngineNotFoundError(f"{path} does not exist", way_out(path))


def _engine_below(folder: Path) -> Engine:
    executable = _inside(folder)
    if executable:
        return _engine_from(executable)
    if (folder / "CMakeLists.txt").is_file():
        raise EngineNotFoundError(
            f"{folder} is source code without a finished build", way_out(folder)
        )
    raise EngineNotFoundError(
        f"{folder} holds no {EXECUTABLE}, neither itself nor under bin or build/bin",
        way_out(folder),
    )


def way_out(path: Path) -> str:
    """Return what to pass instead of a path that leads to no llama-server."""
    nearest = next((folder for folder in (path, *path.parents) if folder.is_dir()), None)
    found = nearest and (_inside(nearest) or _one_level_below(nearest))
    is_there = presence.embedded_engine_installed()
    embedded = "or `embedded` for the engine that pip has installed" if is_there else ""
    if found:
        return (
            f"There is one at {found}: pass that as llama_cpp_path, {embedded}".rstrip(", ") + "."
        )
    advice = f"Pass llama_cpp_path as the folder that contains {EXECUTABLE}, the executable itself"
    return f"{advice}, {embedded}".rstrip(", ") + ". If you know no such folder, ask the user."


def _inside(folder: Path) -> Path | None:
    found = (_in(folder / inside) for inside in FOLDERS_INSIDE)
    return next(filter(None, found), None)


def _one_level_below(folder: Path) -> Path | None:
    try:
        children = sorted(islice(folder.iterdir(), SEARCHED_FOLDERS))
    except OSError:
        return None
    return next(filter(None, map(_inside, children)), None)


def _engine_from(executable: Path) -> Engine:
    path = str(executable.absolute())
    _check_is_program(executable)
    short = for_programs(path)
    if short is None:
        raise EngineUnusableError(
            path,
            f"its path has more than {MAX_CHARACTERS} characters",
            "Move llama.cpp into a folder with a shorter path.",
        )
    return Engine("llama-server", path, (short,))


def _check_is_program(file: Path) -> None:
    head = _head(file)
    if is_gguf(head):
        raise EngineUnusableError(
            str(file), "it is a model", "Pass it as model_path, and leave llama_cpp_path out."
        )
    is_windows_program = sys.platform != "win32" or file.suffix.lower() in SUFFIXES
    if is_windows_program and os.access(file, os.X_OK):
        return
    # Only for what can be llama-server: a reader with a shell does what is proposed.
    if is_windows_program and (is_program(head) or file.name == NAME):
        raise EngineUnusableError(
            str(file),
            "it is not executable",
            f"Make it so (chmod +x {file}), or pass another path.",
        )
    raise EngineUnusableError(str(file), "it is no program", way_out(file))


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_HEAD_BYTES)
    except OSError:  # a program may be one that this user can execute and not read
        return b""


def _embedded_engine() -> Engine:
    if not presence.embedded_engine_installed():
        raise EngineNotFoundError(
            "the embedded engine is not installed",
            f"Pass another llama_cpp_path, or ask the user to run: {presence.INSTALL_COMMAND}",
        )
    return Engine("embedded", EMBEDDED, tuple(spawning.program_command(presence.MODULE)))
