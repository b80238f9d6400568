"""Runs every client and the conformance suite and prints a table; see clients/__init__.py."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
from tests.support.processes import end_leftovers
from tests.support.tiny_model import write_tiny_model

from clients import chromium, node_packages
from clients.programs.all_programs import PROGRAMS
from clients.trials.judging import Finding
from clients.trials.setting_up import set_programs_up
from clients.trials.table import try_programs
from clients.trials.trying import Trial
from clients.trials.verdict import Attempt, is_final, remarks
from clients.trials.yardstick import measured_seconds
from llama_mcp.settings import Settings
from llama_mcp.surface.server import build_server
from llama_mcp.toolsets import PAGE_TOOLS

ROOT = Path(__file__).parent.parent
COMMAND = str(Path(sys.executable).with_name("llama-mcp"))
# One for each of the two cores that a small machine has.
AT_ONCE = 2
# Client programs wait for the model most of the time.
PROGRAMS_AT_ONCE = 3
# What one client or one run of the suite may take on a machine that other work shares; alone on it
# they take 5 to 15 seconds.
LIMIT_SECONDS = 300
CTX_SIZE = 32768
ROW = "{:<14} {:<15} {:<11} {:>4} s  {:<7} {}"


@dataclass(frozen=True)
class Client:
    """One program and how it is called.

    Attributes:
        name: What the table calls it.
        version: The version of the package that it is built on.
        era: What it is asked to speak.
        command: The program and its arguments.
    """

    name: str
    version: str
    era: str
    command: list[str]


@dataclass(frozen=True)
class Outcome:
    """What came of one program: the protocol it spoke, what it did, and all its runs."""

    client: Client
    seconds: float
    protocol: str
    done: list[str]
    attempts: tuple[Attempt, ...]

    def __str__(self) -> str:
        """One row of the table."""
        verdict = "ok" if self.attempts[-1].is_right else "FAILED"
        what, seconds = ", ".join(self.done), round(self.seconds)
        client = self.client
        return ROW.format(client.name, client.version, self.protocol, seconds, verdict, what)


def all_clients(node: str) -> Iterator[Client]:
    """Yield every client in every era that it speaks, and the runs of the conformance suite."""
    sdk = "@modelcontextprotocol"
    python = [sys.executable, "-m"]
    here = Path(__file__).parent
    suite = node_packages.version_of(f"{sdk}/conformance")
    for run in ("2025-11-25", "2026-07-28", "extensions"):
        yield Client("conformance", suite, run, [*python, "clients.conformance", node, run])
    inspector = node_packages.version_of(f"{sdk}/inspector")
    v1, v2 = node_packages.version_of(f"{sdk}/sdk"), node_packages.version_of(f"{sdk}/client")
    for era in ("legacy", "modern"):
        program = [*python, "clients.inspector", node, COMMAND, era]
        yield Client("inspector", inspector, era, program)
    for era in ("legacy", "modern"):
        program = [*python, "clients.python_client", COMMAND, era]
        yield Client("python", version("mcp"), era, program)
    yield Client("typescript v1", v1, "legacy", [node, str(here / "typescript_v1.mjs"), COMMAND])
    for era in ("legacy", "modern"):
        program = [node, str(here / "typescript_v2.mjs"), COMMAND, era]
        yield Client("typescript v2", v2, era, program)
    pages = here / "dashboard"
    bridge = node_packages.version_of(f"{sdk}/ext-apps")
    for era in ("legacy", "modern"):
        program = [node, str(pages / "chat_host.mjs"), COMMAND, era]
        yield Client("app bridge", bridge, era, program)
    yield Client("own tests", "-", "-", [*python, "clients.own_tests", node])
    if (browser := chromium.prepare()) is not None:
        program = [node, str(pages / "browser.mjs"), COMMAND]
        yield Client("chromium", chromium.version_of(browser), "modern", program)


def runner(folder: Path) -> Callable[[Client], Outcome]:
    """Return what runs a client, in a folder of its own and with settings of its own."""
    model = write_tiny_model(folder / "tiny.gguf", context_length=CTX_SIZE)

    def run(client: Client) -> Outcome:
        began = time.monotonic()
        attempts: tuple[Attempt, ...] = ()
        while not is_final(attempts, time.monotonic() - began):
            name = f"{client.name}-{client.era}-{len(attempts) + 1}".replace(" ", "-")
            said, attempt = run_once(client, folder / name)
            attempts += (attempt,)
        seconds = time.monotonic() - began
        protocol = said.get("version", client.era)
        return Outcome(client, seconds, protocol, said.get("done", []), attempts)

    def run_once(client: Client, own: Path) -> tuple[dict[str, Any], Attempt]:
        (own / "user-home").mkdir(parents=True)
        (own / "work").mkdir()
        (own / "work" / "note.txt").write_text("A note to be summed up.\n")
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("LLAMA_", "XDG_"))}
        variables |= {
            "HOME": str(own / "user-home"),
            "PYTHONPATH": str(ROOT),
            "LLAMA_MCP_HOME": str(own / "home"),
            "LLAMA_MCP_LLAMA_CPP_PATH": "embedded",
            "LLAMA_MCP_MODEL_PATH": str(model),
            "LLAMA_MCP_PORT": "0",
            # Room for a reply that is long enough to be cancelled.
            "LLAMA_MCP_CTX_SIZE": str(CTX_SIZE),
            "LLAMA_MCP_PARALLEL": "2",
            "LLAMA_MCP_LINGER_SECONDS": "0",
            "LLAMA_MCP_FILE_DIRS": str(own / "work"),
            # No walk downloads anything: nobody listens there.
            "HF_ENDPOINT": "http://127.0.0.1:9",
        }
        return _run_program(client, variables, own)

    return run


def _run_program(
    client: Client, variables: dict[str, str], folder: Path
) -> tuple[dict[str, Any], Attempt]:
    """Run it once; return what it said of itself, and what came of it."""
    is_late, left = False, []
    process = subprocess.Popen(
        client.command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=variables,
        text=True,
    )
    try:
        output, complaints = process.communicate(timeout=LIMIT_SECONDS)
        error = complaints if process.returncode else None
    except subprocess.TimeoutExpired:
        process.kill()
        # They may hold its pipes open.
        is_late, left = True, end_leftovers(folder)
        output, complaints = process.communicate()
        error = f"not done after {LIMIT_SECONDS} s\n{complaints}"
    left = left or end_leftovers(folder)
    if left and not is_late:
        error = f"{error or ''}\nleft running: {left}"
    said = json.loads(output) if output.strip() else {}
    error = error if error or said else "it said nothing"
    if error is None:
        return said, Attempt(())
    why = error.strip().rpartition("\n")[2]
    found = Finding(client.name, why, is_right=False, is_leftover=bool(left) and not is_late)
    return said, Attempt((found,), is_late, measured_seconds(), (error,))


def try_sdks(node: str, folder: Path, pool: ThreadPoolExecutor) -> Iterator[str]:
    """Run every client that takes the walk, and the suite; print a table, yield what went wrong."""
    print(ROW.format("client", "version", "protocol", "", "", "what was done"))
    for outcome in pool.map(runner(folder), all_clients(node)):
        print("\n".join([str(outcome), *remarks(outcome.attempts)]), flush=True)
        # None of them gives up after seconds: a busy machine excuses one run, but not all.
        if not outcome.attempts[-1].is_right:
            seen = [line for attempt in outcome.attempts for line in attempt.seen]
            yield "\n".join([f"{outcome.client.name} {outcome.protocol}:", *seen])


def main(wanted: str = "") -> int:
    """Run everything, `--all` or only what is light; return the exit code."""
    node = shutil.which("node") or "node"
    errors: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="llama-mcp-clients-") as name,
        ThreadPoolExecutor(AT_ONCE) as sdks,
        ThreadPoolExecutor(PROGRAMS_AT_ONCE) as several,
    ):
        folder = Path(name)
        try:
            node = node_packages.prepare()
            errors += try_sdks(node, folder, sdks)
        except node_packages.NpmUnreachableError as why:
            print(f"clients: SDKs, Inspector and conformance skipped, {why}")
        programs = [program for program in PROGRAMS if program.is_light or wanted == "--all"]
        trial = Trial(folder, node, COMMAND, tool_names())
        errors += try_programs(programs, trial, several)
        errors += set_programs_up(programs, trial, sdks)
    if errors:
        print("\n\n".join(errors), file=sys.stderr)
    return 1 if errors else 0


def tool_names() -> frozenset[str]:
    """Return the names of our tools, but of those that only a client with apps is told of."""
    tools = anyio.run(build_server(Settings()).list_tools)
    return frozenset(tool.name for tool in tools) - PAGE_TOOLS


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
