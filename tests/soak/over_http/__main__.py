"""Run the soak over HTTP and tell what came of it.

    python -m tests.soak.over_http [MINUTES] [--clients N] [--seed N] [--keep FOLDER]

Ends with 1 when anybody saw what is another's, or anything was lost or has grown beyond its bound.
"""

import argparse
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

import anyio

from tests.soak.__main__ import tell_stderr
from tests.soak.over_http.aftermath import look_around
from tests.soak.over_http.load import HttpSoak, Plan
from tests.support.tiny_model import write_tiny_model


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=10.0, help="how long (10)")
    parser.add_argument("--clients", type=int, default=50, help="of five people (50)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn (1)")
    parser.add_argument("--keep", type=Path, default=None, help="copy what is left to this folder")
    given = parser.parse_args()
    plan = Plan(seconds=given.minutes * 60, clients_each=given.clients // 5, seed=given.seed)
    with tempfile.TemporaryDirectory(prefix="llama-mcp-soak-") as name:
        folder = Path(name)
        soak = HttpSoak(folder, write_tiny_model(folder / "tiny.gguf", context_length=8192), plan)
        print(f"{given.minutes:g} minutes, {given.clients} clients of {plan.people} people, "
              f"seed {plan.seed}; Python {platform.python_version()}")  # fmt: skip
        began = time.monotonic()
        anyio.run(soak.run)
        faults = anyio.run(look_around, soak)
        tell(soak, time.monotonic() - began)
        if given.keep:
            shutil.copytree(folder, given.keep, dirs_exist_ok=True)
    for fault in faults[:50]:
        print(f"WRONG: {fault}")
    print(f"{len(faults)} faults" if faults else "Nothing seen of others, nothing lost.")
    return 1 if faults else 0


def tell(soak: HttpSoak, seconds: float) -> None:
    """Print what was done and what was measured."""
    print(f"ran {seconds:.0f} s; {soak.frames} frames looked at; {len(soak.ledger.said)} messages")
    for what, count in sorted(soak.counts.items()):
        print(f"  {count:7}  {what}")
    print("memory of the server, MiB, first -> last, highest, of each of its lives:")
    for life in filter(None, soak.memory_mib):
        print(f"  {life[0]} -> {life[-1]}, {max(life)}, {len(life)} s")
    print(f"memory of a bridge: {soak.bridge_mib} MiB at most")
    tell_stderr(soak.stderr.read_text(errors="replace"))


if __name__ == "__main__":
    sys.exit(main())
