"""Launches of tiny programs in the place of llama-server, for tests of what launches and ends."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import psutil

from llama_mcp.keeper import identity
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.runs import ports
from llama_mcp.llama_server.runs.records import Launch
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import RunState, read_run_state
from llama_mcp.llama_server.runs.start_lock import StartLock
from llama_mcp.llama_server.status import EngineInfo, ServerState
from tests.support.processes import PATIENCE_SECONDS

# How an ending by `crash` is told: psutil terminates with this code where there are no signals.
KILLED = "exit code 15" if sys.platform == "win32" else "SIGKILL"
SLEEPER = "import time; time.sleep(600)"


def launch_of(program: str = SLEEPER, **changes: Any) -> Launch:
    """Return the launch of a Python program; unlike llama-server it never becomes ready."""
    values: dict[str, Any] = {
        "argv": [sys.executable, "-c", program, "-m", "/models/small.gguf"],
        "environment": {name: os.environ.get(name, "") for name in ("PATH", "SYSTEMROOT")},
        "linger_seconds": 0,
        "config": LaunchConfig(model_path="/models/small.gguf", llama_cpp_path="/llama.cpp"),
        "engine": EngineInfo(kind="llama-server", version="b1", path="/llama.cpp"),
        "alias": "small",
        "port": ports.find_free(),
        "at": time.time(),
    }
    return Launch(**values | changes)


async def launched(lock: StartLock, launch: Launch) -> Run:
    async with lock.hold() as exclusive:
        return await exclusive.launch(launch)


def pid_of(run: Run) -> int:
    """Return the pid of the program that the run's keeper has spawned."""
    state = run.state()
    assert state is not None and state.llama_server is not None
    return state.llama_server.pid


def lives(pid: int) -> bool:
    return identity.process_start(pid) is not None


async def crash(run: Run) -> RunState:
    """Kill the run's program and return the state that follows."""
    psutil.Process(pid_of(run)).kill()
    return await until_state(run, ServerState.CRASHED)


async def until_state(run: Run, wanted: ServerState) -> RunState:
    with anyio.fail_after(PATIENCE_SECONDS):
        while (state := await read_run_state(run)).state is not wanted:
            await anyio.sleep(0.01)
    return state


def run_names(runs_dir: Path) -> set[str]:
    return {entry.name for entry in runs_dir.iterdir() if entry.is_dir()}
