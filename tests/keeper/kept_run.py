"""A keeper as a program of its own, and the run directory that it was started on."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from llama_mcp.keeper import run_dir, spawning
from tests.support.processes import until


def how(ending: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return how it ended: exit code and signal."""
    return ending["exit_code"], ending["signal"]


class KeptRun:
    """A run directory, and the keeper that was started on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / run_dir.LEASES).mkdir(parents=True)
        self.keeper: subprocess.Popen[bytes] | None = None

    def start(
        self, program: str, linger_seconds: float = 0, argv: list[str] | None = None, **more: Any
    ) -> None:
        """Start a keeper of the program or argv; more is what else launch.json says."""
        launch = {
            "argv": argv or [sys.executable, "-c", textwrap.dedent(program)],
            "environment": {name: os.environ.get(name, "") for name in ("PATH", "SYSTEMROOT")},
            "linger_seconds": linger_seconds,
            **more,
        }
        run_dir.write_whole(str(self.folder / run_dir.LAUNCH), launch)
        command = [sys.executable, "-P", "-m", "llama_mcp.keeper", str(self.folder)]
        flags = spawning.CREATION_FLAGS
        self.keeper = subprocess.Popen(command, start_new_session=True, creationflags=flags)

    @property
    def state(self) -> dict[str, Any]:
        return run_dir.read_whole(str(self.folder / run_dir.STATE)) or {}

    @property
    def child_pid(self) -> int:
        return int(self.state["llama_server"]["pid"])

    async def until_up(self) -> None:
        """Wait until the child has printed something and the keeper has recorded it."""
        log = self.folder / run_dir.LOG
        await until(lambda: log.exists() and log.stat().st_size > 0, "the child prints something")
        await until(lambda: bool(self.state.get("llama_server")), "the child is recorded")

    async def until_over(self) -> dict[str, Any]:
        assert self.keeper is not None
        await until(lambda: self.keeper is None or self.keeper.poll() is not None, "keeper leaves")
        ending: dict[str, Any] = self.state["exit"]
        return ending
