"""`llama-mcp doctor`: looks at everything that llama-mcp needs, and says what is wrong.

Examples are in its help. The exit code is 1 when a fault was found.
"""

import logging
import os
import shutil
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import anyio

from llama_mcp.cli.doctor.all_checks import CHECKS
from llama_mcp.cli.doctor.examining import Examination
from llama_mcp.cli.doctor.findings import Circumstances, Finding, Level
from llama_mcp.cli.doctor.lines import as_json, summary_of, write_findings
from llama_mcp.cli.signals import until_signal
from llama_mcp.cli.terminal import Terminal
from llama_mcp.file_modes import keep_private
from llama_mcp.reading_settings import read_settings
from llama_mcp.settings import inherited_environment

_EXAMPLES = """examples:
  llama-mcp doctor            look at everything, prove every client's entry without a model
  llama-mcp doctor --prove    prove the entries with a model, which takes longer
  llama-mcp doctor --json     the same for a program: one JSON document on stdout

The settings are those of this terminal's environment; each client's entry is launched with its own.
Nothing of yours is changed. The exit code is 0 without a fault, else 1.
"""


def configure(parser: ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = "Look at everything that llama-mcp needs, and say what is wrong."
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "--prove", action="store_true", help="start the model with every client's entry, too"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document with all findings"
    )


def run(arguments: Namespace) -> int:
    """Make all checks and return the exit code: 1 when one has found a fault."""
    logging.basicConfig(level=logging.ERROR)
    keep_private()
    return anyio.run(until_signal, lambda: _examine(arguments))


async def _examine(arguments: Namespace) -> int:
    environment = inherited_environment()
    scratch = tempfile.mkdtemp(prefix="llama-mcp-doctor-")
    circumstances = Circumstances(
        environment, read_settings(environment), Path(scratch), arguments.prove
    )
    try:
        async with anyio.create_task_group() as tasks:
            examination = Examination(circumstances, tasks)
            found = await _make_all(examination, Terminal(environment), is_json=arguments.json)
            exit_code = int(any(finding.level is Level.FAULT for _, finding in found))
            if examination.is_stuck:
                _leave_at_once(exit_code, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return exit_code


async def _make_all(
    examination: Examination, terminal: Terminal, *, is_json: bool
) -> Sequence[tuple[str, Finding]]:
    found: list[tuple[str, Finding]] = []
    for check in CHECKS:
        findings = await examination.make(check)
        found += [(check.topic, finding) for finding in findings]
        if not is_json:
            write_findings(terminal, check.topic, findings)
    terminal.line(as_json(found) if is_json else summary_of([finding for _, finding in found]))
    return found


def _leave_at_once(exit_code: int, scratch: str) -> NoReturn:
    """End the process although a thread waits for a disk: nobody can end the thread."""
    shutil.rmtree(scratch, ignore_errors=True)
    sys.stdout.flush()
    os._exit(exit_code)
