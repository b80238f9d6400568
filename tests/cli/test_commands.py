"""The list of commands: each is found, explains itself, and refuses what it does not take."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llama_mcp.cli.commands import COMMANDS

LLAMA_MCP = [sys.executable, "-P", "-m", "llama_mcp"]


def run(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    return subprocess.run(
        [*LLAMA_MCP, *arguments],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_the_help_lists_every_command(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")
    assert done.returncode == 0
    assert all(f"    {command.name} " in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_every_command_explains_itself(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, name, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: llama-mcp {name}")


def test_an_unknown_command_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    done = run(tmp_path, "strat")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "'strat'" in done.stderr and "'demo'" in done.stderr


def test_a_command_refuses_what_it_does_not_take(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", "--fast")
    assert done.returncode == 2
    assert "--fast" in done.stderr
