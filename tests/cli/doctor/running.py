"""`llama-mcp doctor` as it is installed, and what it found."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.client_process import LlamaMCP

PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Examined:
    """What one run of it has said."""

    exit_code: int
    findings: list[dict[str, Any]]
    stderr: str

    def of(self, topic: str, level: str = "fault") -> list[str]:
        """Return what it has found of a topic, with the next step behind."""
        return [
            f"{each['text']} {each.get('next_step', '')}".strip()
            for each in self.findings
            if each["topic"] == topic and each["level"] == level
        ]

    @property
    def faulty(self) -> set[str]:
        """The topics with a fault."""
        return {each["topic"] for each in self.findings if each["level"] == "fault"}


def environment_of(llama_mcp: LlamaMCP, **more: str) -> dict[str, str]:
    """Return what a terminal would have in which these settings are made."""
    own = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    return {**own, **llama_mcp.environment, **more}


def examine(
    llama_mcp: LlamaMCP,
    *arguments: str,
    before: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Examined:
    """Run the installed command and return what it says with --json.

    Args:
        llama_mcp: the command, its home and its settings.
        arguments: of doctor.
        before: what runs the command.
        more: variables besides.
        folder: where it is run.
    """
    done = subprocess.run(
        [*before, *llama_mcp.command, "doctor", "--json", *arguments],
        env=environment_of(llama_mcp, **(more or {})),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.stdout, done.stderr
    said = json.loads(done.stdout)
    assert said["is_healthy"] == (done.returncode == 0)
    return Examined(done.returncode, said["findings"], done.stderr)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Return every file and folder below, with size and time of change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        found[str(path.relative_to(folder))] = (about.st_size, about.st_mtime_ns)
    return found
