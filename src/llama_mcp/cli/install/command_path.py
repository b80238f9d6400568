"""The command that clients are to start: where it is, and whether it will still be there."""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from llama_mcp.cli.install.known.entry import NAME, Entry

# Parts of a path below which things come and go: tool caches, environments of builds and tests.
_PASSING_PARTS = {
    ("pipx", ".cache"): "the cache of pipx run",
    (".tox",): "an environment of tox",
    (".nox",): "an environment of nox",
    ("build",): "a build folder",
    ("__pypackages__",): "a build folder",
    ("_npx",): "the cache of npx",
    ("AppTranslocation",): "a folder that macOS makes for one start",
}
# uv's cache has folders with the version of their layout in their names.
_UV_CACHE = re.compile(r"(archive|environments|builds)-v\d+")


def our_entry(program: Path, environment: Mapping[str, str]) -> Entry:
    """Return the entry that starts the llama-mcp of a Python; settings come later.

    The command on PATH is taken if it is the same one: it outlives upgrades, as `uv tool` makes it.

    Args:
        program: that Python.
        environment: in which PATH is looked for.
    """
    script = program.parent / (f"{NAME}.exe" if sys.platform == "win32" else NAME)
    on_path = shutil.which(NAME, path=environment.get("PATH", ""))
    if on_path and script.exists() and os.path.samefile(on_path, script):
        return Entry(os.path.abspath(on_path))
    if script.exists():
        return Entry(str(script))
    return Entry(str(program), ("-P", "-m", "llama_mcp"))


def passing_folder_of(command: str, environment: Mapping[str, str]) -> str | None:
    """Return in which passing folder a command of this machine lies, or what it links to does.

    Args:
        command: the full path.
        environment: as for why_not_lasting.

    Returns:
        The folder in words; None where the command will last.
    """
    for path in (command, os.path.realpath(command)):
        if folder := why_not_lasting(path, sys.platform, environment):
            return folder
    return None


def why_not_lasting(command: str, platform: str, environment: Mapping[str, str]) -> str | None:
    """Return in which passing folder a command lies, in words; None where it will last.

    Links are not followed: what they lead to is looked at too, by the caller.

    Args:
        command: the full path.
        platform: as `sys.platform` names it.
        environment: where folders for temporary files and caches are named.
    """
    kind = PureWindowsPath if platform == "win32" else PurePosixPath
    path = kind(command)
    if any(path.is_relative_to(folder) for folder in _temporary(kind, platform, environment)):
        return "a folder for temporary files"
    if (cache := environment.get("UV_CACHE_DIR")) and path.is_relative_to(kind(cache)):
        return "the cache of uv"
    parts = path.parts
    if any(map(_UV_CACHE.fullmatch, parts)):
        return "the cache of uv (uvx)"
    for passing, words in _PASSING_PARTS.items():
        if any(parts[at : at + len(passing)] == passing for at in range(len(parts))):
            return words
    return None


def _temporary(
    kind: type[PurePath], platform: str, environment: Mapping[str, str]
) -> Iterator[PurePath]:
    """Yield the folders for temporary files: those that are named, else the usual ones."""
    named = [environment[name] for name in ("TMPDIR", "TEMP", "TMP") if environment.get(name)]
    yield from map(kind, named)
    if platform == "win32":
        return
    if platform == "darwin":
        yield from map(kind, ("/private/var/folders", "/var/folders", "/private/tmp"))
    if platform == "darwin" or not named:
        yield from map(kind, ("/tmp", "/var/tmp"))
