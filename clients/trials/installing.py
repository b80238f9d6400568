"""Installs the packages of one program, pinned, into a folder of its own that git ignores.

A folder is used again as long as the program's packages stay the same. No lock file is written: it
would name the index of whoever wrote it.
"""

import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from clients.programs.program import Index, Program

FOLDER = Path(__file__).parents[1] / ".programs"
INSTALL_SECONDS = 300
PROBE_SECONDS = 60
# uv does not know every place that pip is told of.
UV_SECONDS = 90
# Installs in seconds what pip needs half a minute for.
UV = "uv>=0.9"
_NPM_QUIET = ["--loglevel=error", "--no-update-notifier", "--no-audit", "--no-fund"]
_PIP_QUIET = ["--quiet", "--disable-pip-version-check", "--retries=1", "--timeout=30"]
_PIP = [sys.executable, "-m", "pip"]
_ONE_AT_A_TIME = threading.Lock()
# An index that did not answer is not asked for each program again.
_SILENT: set[Index] = set()


class NotInstalledError(Exception):
    """The packages are not installed, and cannot be."""


def install(program: Program) -> Path:
    """Install what is missing; return the folder.

    Raises:
        NotInstalledError: the index cannot be reached or lacks packages, or an installation failed.
    """
    folder = FOLDER / program.folder
    note = folder / "installed-packages"
    wanted = "\n".join([*program.packages, sys.version])
    if not note.is_file() or note.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        {Index.NPM: _install_with_npm, Index.PYPI: _install_with_pip}[program.index](
            program.packages, folder
        )
        note.write_text(wanted, encoding="utf-8")
    return folder


def _install_with_npm(packages: tuple[str, ...], folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalledError("there is no npm here")
    _probe([npm, "view", packages[0], "version", "--fetch-retries=1", *_NPM_QUIET], Index.NPM)
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    options = ["--no-package-lock", "--ignore-scripts", *_NPM_QUIET]
    _run([npm, "install", *options, *packages], folder, Index.NPM)


def _install_with_pip(packages: tuple[str, ...], folder: Path) -> None:
    probe = [*_PIP, "download", *_PIP_QUIET, "--no-deps", "--dest", str(folder), packages[0]]
    _probe(probe, Index.PYPI)
    _run([sys.executable, "-m", "venv", str(folder)], folder, Index.PYPI)
    python = str(folder / "bin" / "python")
    uv = _find_uv()
    if uv is not None:
        quick = [uv, "pip", "install", "--quiet", "--python", python, *packages]
        if _succeeds(quick, UV_SECONDS):
            return
    # Compiled when it is imported: most of it never is.
    install = [python, "-m", "pip", "install", *_PIP_QUIET, "--no-compile", *packages]
    _run(install, folder, Index.PYPI)


def _find_uv() -> str | None:
    """Return the uv on PATH, or else one of our own; None where the index has none."""
    folder = FOLDER / "uv"
    own = folder / "bin" / "uv"
    on_path = shutil.which("uv")
    if on_path:
        return on_path
    with _ONE_AT_A_TIME:
        install = [*_PIP, "install", *_PIP_QUIET, "--target", str(folder), UV]
        return str(own) if own.is_file() or _succeeds(install, UV_SECONDS) else None


def _succeeds(command: list[str], seconds: float) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _probe(command: list[str], index: Index) -> None:
    try:
        if index in _SILENT:
            raise subprocess.TimeoutExpired(command, 0)
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        _SILENT.add(index)
        raise NotInstalledError(f"{index} does not answer") from None
    if done.returncode or (index is Index.NPM and not done.stdout.strip()):
        raise NotInstalledError(f"{index} does not give it: {_complaint(done.stderr)}")


def _run(command: list[str], folder: Path, index: Index) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, cwd=folder
        )
    except subprocess.TimeoutExpired:
        raise NotInstalledError(f"{index}: not installed after {INSTALL_SECONDS} s") from None
    if done.returncode:
        raise NotInstalledError(f"{index}: not installed: {_complaint(done.stderr)}")


def _complaint(stderr: str) -> str:
    """Return what says most of what npm or pip said: the system's own words, or else one line."""
    own_words = re.search(r"\[Errno -?\d+\] [\w ]+", stderr)
    said = [line for line in stderr.splitlines() if "error" in line.lower()]
    return own_words[0] if own_words else (said or ["it says nothing"])[0]
