"""What `llama-mcp doctor` finds, for a front end that is no terminal: run as a program of its own.

It starts a llama-server to see whether it can; nothing of the user's is disturbed.
"""

import json
import subprocess
import sys

import anyio
from pydantic import BaseModel

from llama_mcp.errors import LlamaMCPError

# A model that loads slowly takes most of it.
LIMIT_SECONDS = 300.0


class CheckFinding(BaseModel, frozen=True):
    """One thing that was looked at."""

    topic: str
    level: str
    """ok, warning or fault."""
    text: str
    next_step: str | None = None


class MachineChecks(BaseModel, frozen=True):
    """What was found."""

    is_healthy: bool
    findings: list[CheckFinding] = []


class ChecksFailedError(LlamaMCPError):
    """The checks told nothing."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The checks have failed: {why}. Run `llama-mcp doctor` in a terminal.")


async def check_machine() -> MachineChecks:
    """Look at everything that llama-mcp needs, with the settings that we were started with.

    Raises:
        ChecksFailedError: it took too long, or said nothing that can be read.
    """
    # -P: nothing is imported from the working folder, which is a client's project.
    command = [sys.executable, "-P", "-m", "llama_mcp", "doctor", "--json"]
    try:
        with anyio.fail_after(LIMIT_SECONDS):
            done = await anyio.run_process(
                command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
            )
    except TimeoutError as error:
        raise ChecksFailedError(f"they were not over after {LIMIT_SECONDS:g} s") from error
    except OSError as error:
        raise ChecksFailedError(f"{error.strerror or error}") from error
    try:
        return MachineChecks.model_validate(json.loads(done.stdout))
    except ValueError as error:
        raise ChecksFailedError(f"they ended with exit code {done.returncode}") from error
