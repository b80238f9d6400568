"""The official validators of the bundles, as far as npm has them.

They are fetched into a folder of their own, which git ignores.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGES = {
    "@anthropic-ai/mcpb": "2.1.2",
    "@anthropic-ai/claude-code": "2.1.332",
    "@google/gemini-cli": "0.61.0",
}
INSTALL_SECONDS = 600
VALIDATE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Check:
    """One validator, and what it is given."""

    name: str
    arguments: tuple[str, ...]


def checks(dist: Path) -> tuple[Check, ...]:
    """Return what is to be validated of what was built."""
    return (
        Check("mcpb", ("validate", str(dist / "mcpb" / "manifest.json"))),
        Check("claude", ("plugin", "validate", str(dist / "claude-code"))),
        Check("claude", ("plugin", "validate", str(dist / "claude-code" / "llama-mcp"))),
        Check("gemini", ("extensions", "validate", str(dist / "gemini"))),
    )


def validate(dist: Path, programs: Path) -> int:
    """Fetch the validators and run them, a line each; return how many refused.

    Args:
        dist: what was built.
        programs: where the validators are kept.
    """
    _install(programs)
    refused = 0
    for check in checks(dist):
        done = subprocess.run(
            [str(programs / "node_modules/.bin" / check.name), *check.arguments],
            capture_output=True,
            encoding="utf-8",
            timeout=VALIDATE_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        is_valid = done.returncode == 0
        refused += not is_valid
        print(f"{'valid  ' if is_valid else 'REFUSED'} {' '.join((check.name, *check.arguments))}")
        if not is_valid:
            print(done.stdout + done.stderr)
    return refused


def _install(programs: Path) -> None:
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("The validators are npm packages, and there is no npm here: install Node.js.")
    programs.mkdir(parents=True, exist_ok=True)
    install: Sequence[str] = [npm, "install", "--no-save", "--no-audit", "--no-fund", *wanted]
    prefix = ["--prefix", str(programs)]
    subprocess.run([*install, *prefix], check=True, timeout=INSTALL_SECONDS, stdout=sys.stderr)
