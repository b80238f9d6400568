"""Runs a program in a folder of its own, ends it, and waits for what should be gone with it."""

import os
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.support.processes import processes_of

from clients.programs.program import Invocation
from clients.scripted_model.server import ScriptedModel

# What a run may take on a machine that other work shares; alone on it they take 5 to 30 seconds.
LIMIT_SECONDS = 150
# What may pass after the linger time until nothing of a run is left.
LEAVE_SECONDS = 60
MOST_OUTPUT = 4000


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        output: The end of what the program printed.
        code: Its exit code, None when it was killed.
        left: The command lines of what of ours was still there later, and was killed.
        is_late: Whether it took as long as it may.
    """

    output: str
    code: int | None
    left: list[str]
    is_late: bool = False


def environment(home: Path, model_url: str) -> dict[str, str]:
    """Return an environment in which a program finds no home but this and no network but loopback.

    The scripted model stands in for a proxy and lets nobody through.
    """
    names = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
    variables = {name: os.environ[name] for name in names if name in os.environ}
    places = {"CONFIG": ".config", "DATA": ".local/share", "STATE": ".local/state"}
    variables |= {f"XDG_{name}_HOME": str(home / at) for name, at in places.items()}
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        variables |= {name: model_url, name.lower(): model_url}
    for name in ("NO_PROXY", "no_proxy"):
        variables[name] = "127.0.0.1,localhost"
    return variables | {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "NODE_USE_ENV_PROXY": "1",
        "TERM": "xterm-256color",
    }


def run(
    invocation: Invocation, model: ScriptedModel, home: Path, *, is_killed: bool, patience: float
) -> Ended:
    """Run a program to its end, or kill it when the model has seen the scenario through.

    Args:
        invocation: The program.
        model: What it asks.
        home: Its home and current folder; the folder above holds all of the run.
        is_killed: Whether it is killed.
        patience: How many seconds something of the run may be left.
    """
    folder = home.parent
    variables = environment(home, model.url) | dict(invocation.variables)
    deadline = time.monotonic() + LIMIT_SECONDS
    code: int | None = 0
    with (folder / "output").open("wb") as output:
        for command in [*invocation.before, invocation.command]:
            if code == 0:
                program = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=home,
                    env=variables,
                    start_new_session=True,
                )
                code = _until_over(program, model.is_over if is_killed else None, home, deadline)
    is_late = time.monotonic() >= deadline
    left = _end_what_is_left(folder, home, patience)
    text = (folder / "output").read_text(encoding="utf-8", errors="replace")
    return Ended(text[-MOST_OUTPUT:], code, left, is_late)


def _until_over(
    program: subprocess.Popen[bytes],
    kill_at: threading.Event | None,
    home: Path,
    deadline: float,
) -> int | None:
    """Wait until it has ended; return its exit code, or None if it was killed."""
    while time.monotonic() < deadline and not (kill_at and kill_at.is_set()):
        with suppress(subprocess.TimeoutExpired):
            return program.wait(0.1)
    for process in _with_its_llama_mcp(program.pid, home):
        with suppress(psutil.Error):
            process.kill()
    # Whatever its command line names.
    program.kill()
    program.wait()
    return None


def _with_its_llama_mcp(pid: int, home: Path) -> list[psutil.Process]:
    """Return a program and what it started, but neither keepers nor llama-servers."""
    found = []
    program = psutil.Process(pid)
    for process in [program, *program.children(recursive=True)]:
        with suppress(psutil.Error):
            if _belongs_to(home, process.cmdline()):
                found.append(process)
    return found


def _end_what_is_left(folder: Path, home: Path, patience: float) -> list[str]:
    """Wait until nothing of ours runs in a folder; kill all that does, return what was ours.

    What a program leaves behind of its own, such as a background service, is only ended.
    """
    deadline = time.monotonic() + patience
    while (ours := _ours(folder, home)) and time.monotonic() < deadline:
        psutil.wait_procs(ours, timeout=0.1)
    described = []
    for process in ours:
        with suppress(psutil.Error):
            described.append(" ".join(process.cmdline()))
    for process in processes_of(folder):
        with suppress(psutil.Error):
            process.kill()
    return described


def _ours(folder: Path, home: Path) -> list[psutil.Process]:
    """Return the processes of a folder that are llama-mcp, its keepers or llama-servers."""
    found = []
    for process in processes_of(folder):
        with suppress(psutil.Error):
            words = process.cmdline()
            is_llama_mcp = any(Path(word).name == "llama-mcp" for word in words[:2])
            if is_llama_mcp or not _belongs_to(home, words):
                found.append(process)
    return found


def _belongs_to(home: Path, words: list[str]) -> bool:
    """Tell whether a command line names nothing of the run's folder but the home.

    Those of keepers and llama-servers name what lies beside the home.
    """
    return all(str(home) in word for word in words if str(home.parent) in word)
