"""Where llama-server is: the path that was given, else PATH, else the embedded engine."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llama_mcp.embedded import presence
from llama_mcp.llama_server.errors import EngineNotFoundError, EngineUnusableError
from llama_mcp.paths import expand_path

EXECUTABLE = "llama-server.exe" if sys.platform == "win32" else "llama-server"
# Where a release archive, an install prefix and a cmake build put it.
FOLDERS_INSIDE = ("", "bin", "build/bin", "build/bin/Release")
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
    found = shutil.which(EXECUTABLE, path=search_path)
    if found:
        return _engine_from(Path(found))
    if presence.embedded_engine_installed():
        return _embedded_engine()
    raise EngineNotFoundError(
        "no path was given, PATH holds none and the embedded engine is not installed",
        "Pass llama_cpp_path (the folder of a llama.cpp release or build), or install the "
        f"embedded engine with: {presence.INSTALL_COMMAND}",
    )


def _engine_at(path: Path) -> Engine:
    if not path.exists():
        raise EngineNotFoundError(
            f"{path} does not exist",
            "Pass llama_cpp_path as the folder that contains llama-server, the executable itself, "
            "or `embedded`.",
        )
    if path.is_file():
        return _engine_from(path)
    candidates = [path / inside / EXECUTABLE for inside in FOLDERS_INSIDE]
    for candidate in candidates:
        if candidate.is_file():
            return _engine_from(candidate)
    raise EngineNotFoundError(
        f"{path} holds no {EXECUTABLE}, neither itself nor under bin or build/bin",
        "Pass the folder of a llama.cpp release or of a finished build.",
    )


def _engine_from(executable: Path) -> Engine:
    path = str(executable.absolute())
    if not os.access(path, os.X_OK):
        raise EngineUnusableError(
            path, "it is not executable", f"Make it so (chmod +x {path}), or pass another path."
        )
    return Engine("llama-server", path, (path,))


def _embedded_engine() -> Engine:
    if not presence.embedded_engine_installed():
        raise EngineNotFoundError(
            "the embedded engine is not installed",
            f"Install it with: {presence.INSTALL_COMMAND}",
        )
    return Engine("embedded", EMBEDDED, tuple(presence.embedded_command()))
