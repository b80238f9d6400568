"""Runs every client and the conformance suite and prints a table; see clients/__init__.py."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.support.processes import end_leftovers
from tests.support.tiny_model import write_tiny_model

from clients import node_packages

ROOT = Path(__file__).parent.parent
COMMAND = str(Path(sys.executable).with_name("llama-mcp"))
# One for each of the two cores that a small machine has.
AT_ONCE = 2
# What one client or one run of the suite may take on a machine that other work shares; alone on it
# they take 5 to 15 seconds.
LIMIT_SECONDS = 600
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
    """What came of one program: the protocol it spoke, what it did, what went wrong."""

    client: Client
    seconds: float
    protocol: str
    done: list[str]
    error: str | None

    def __str__(self) -> str:
        """One row of the table."""
        verdict = "FAILED" if self.error else "ok"
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


def runner(folder: Path) -> Callable[[Client], Outcome]:
    """Return what runs a client, in a folder of its own and with settings of its own."""
    model = write_tiny_model(folder / "tiny.gguf", context_length=CTX_SIZE)

    def run(client: Client) -> Outcome:
        own = folder / f"{client.name}-{client.era}".replace(" ", "-")
        (own / "user-home").mkdir(parents=True)
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
        }
        return _run_program(client, variables, own)

    return run


def _run_program(client: Client, variables: dict[str, str], folder: Path) -> Outcome:
    began = time.monotonic()
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
        output, complaints = process.communicate()
        error = f"not done after {LIMIT_SECONDS} s\n{complaints}"
    seconds = time.monotonic() - began
    left = end_leftovers(folder)
    if left:
        error = f"{error or ''}\nleft running: {left}"
    if not output.strip():
        return Outcome(client, seconds, client.era, [], error or "it said nothing")
    said = json.loads(output)
    return Outcome(client, seconds, said["version"], said["done"], error)


def main() -> int:
    """Run everything; return the exit code."""
    try:
        node = node_packages.prepare()
    except node_packages.NpmUnreachableError as why:
        print(f"clients: skipped, {why}")
        return 0
    print(ROW.format("client", "version", "protocol", "", "", "what was done"))
    errors = []
    with (
        tempfile.TemporaryDirectory(prefix="llama-mcp-clients-") as folder,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        for outcome in pool.map(runner(Path(folder)), all_clients(node)):
            print(outcome, flush=True)
            if outcome.error:
                errors.append(f"{outcome.client.name} {outcome.protocol}:\n{outcome.error}")
    if errors:
        print("\n\n".join(errors), file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
