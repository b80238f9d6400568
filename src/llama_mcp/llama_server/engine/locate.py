"""Where llama-server is: the path that was given, else PATH, else the embedded engine."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llama_mcp.embedded import presence
from llama_mcp.keeper import spawning
from llama_mcp.llama_server.errors import EngineNotFoundError, EngineUnusableError
from llama_mcp.long_paths import MAX_CHARACTERS, for_programs, openable
from llama_mcp.paths import expand_path

NAME = "llama-server"
# What Windows executes by its name; of scripts those that it starts by itself.
SUFFIXES = (".exe", ".cmd", ".bat") if sys.platform == "win32" else ("",)
EXECUTABLE = NAME + SUFFIXES[0]
# Where a release archive, an install prefix and a cmake build put it; Visual Studio's have a folder
# for each configuration.
FOLDERS_INSIDE = ("", "bin", "build/bin", "build/bin/Release", "bin/Release")
EMBEDDED = "embedded"


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
    if llama_cpp_path == EMBEDDED:
        return _embedded_engine()
    if llama_cpp_path:
        return _engine_at(expand_path("llama_cpp_path", llama_cpp_path))
    found = _on_path(search_path)
    if found:
        return _engine_from(found)
    if presence.embedded_engine_installed():
        return _embedded_engine()
    raise EngineNotFoundError(
        "no path was given, PATH holds none and the embedded engine is not installed",
        "Pass llama_cpp_path (the folder of a llama.cpp release or build), or install the "
        f"embedded engine with: {presence.INSTALL_COMMAND}",
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
    candidates = (folder / f"{NAME}{suffix}" for suffix in SUFFIXES)
    return next(filter(Path.is_file, candidates), None)


def _engine_at(given: Path) -> Engine:
    path = Path(openable(str(given.absolute())))
    if path.is_file():
        return _engine_from(path)
    if path.exists():
        return _engine_below(path)
    # Windows users may leave the suffix out.
    named = (path.with_name(path.name + suffix) for suffix in SUFFIXES if path.name)
    whole = next(filter(Path.is_file, named), None)
    if whole:
        return _engine_from(whole)
    raise EngineNotFoundError(
        f"{given} does not exist",
        f"Pass llama_cpp_path as the folder that contains {EXECUTABLE}, the executable itself, "
        "or `embedded`.",
    )


def _engine_below(folder: Path) -> Engine:
    found = (_in(folder / inside) for inside in FOLDERS_INSIDE)
    executable = next(filter(None, found), None)
    if executable:
        return _engine_from(executable)
    raise EngineNotFoundError(
        f"{folder} holds no {EXECUTABLE}, neither itself nor under bin or build/bin",
        "Pass the folder of a llama.cpp release or of a finished build.",
    )


def _engine_from(executable: Path) -> Engine:
    path = str(executable.absolute())
    if sys.platform == "win32" and executable.suffix.lower() not in SUFFIXES:
        raise EngineUnusableError(
            path, "it is no program", f"Pass {EXECUTABLE}, or the folder that contains it."
        )
    if not os.access(path, os.X_OK):
        raise EngineUnusableError(
            path, "it is not executable", f"Make it so (chmod +x {path}), or pass another path."
        )
    short = for_programs(path)
    if short is None:
        raise EngineUnusableError(
            path,
            f"its path has more than {MAX_CHARACTERS} characters",
            "Move llama.cpp into a folder with a shorter path.",
        )
    return Engine("llama-server", path, (short,))


def _embedded_engine() -> Engine:
    if not presence.embedded_engine_installed():
        raise EngineNotFoundError(
            "the embedded engine is not installed",
            f"Install it with: {presence.INSTALL_COMMAND}",
        )
    command = presence.embedded_command(spawning.python_command())
    return Engine("embedded", EMBEDDED, tuple(command))
