"""Run the soak and tell what came of it.

    python -m tests.soak [MINUTES] [--seed N] [--keep FOLDER]

Ends with 1 when anything was lost, mixed up, left behind, or has grown beyond its bound.
"""

import argparse
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import anyio

from tests.soak import measuring
from tests.soak.aftermath import archive_bytes, count_archive, look_around
from tests.soak.load import Plan, Soak
from tests.support.tiny_model import write_tiny_model

# Times, ids and numbers: what differs between two lines of one kind.
VARYING = re.compile(r"\b\w{4}-\w{4}-\w{4}\b|[0-9a-f]{6,}|\d+")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=10.0, help="how long (10)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn (1)")
    parser.add_argument("--keep", type=Path, default=None, help="copy what is left to this folder")
    arguments = parser.parse_args()
    seconds = arguments.minutes * 60
    plan = Plan(seconds=seconds, rest_seconds=min(60.0, seconds / 6), seed=arguments.seed)
    with tempfile.TemporaryDirectory(prefix="llama-mcp-soak-") as name:
        folder = Path(name)
        model = write_tiny_model(folder / "tiny.gguf", context_length=8192)
        soak = Soak(folder, model, plan)
        print(f"{arguments.minutes:g} minutes, {plan.sessions} sessions, seed {plan.seed}; "
              f"{os.cpu_count()} processors, Python {platform.python_version()}")  # fmt: skip
        began = time.monotonic()
        anyio.run(soak.run)
        faults = anyio.run(look_around, soak)
        tell(soak, time.monotonic() - began)
        if arguments.keep:
            shutil.copytree(folder, arguments.keep, dirs_exist_ok=True)
    for fault in faults[:50]:
        print(f"WRONG: {fault}")
    print(f"{len(faults)} faults" if faults else "Nothing lost, nothing mixed up, nothing left.")
    return 1 if faults else 0


def tell(soak: Soak, seconds: float) -> None:
    """Print what was done and what was measured."""
    turns, characters = count_archive(soak)
    print(f"ran {seconds:.0f} s; {soak.frames} frames checked; {len(soak.ledger.said)} messages")
    for what, count in sorted(soak.counts.items()):
        print(f"  {count:7}  {what}")
    print(f"archive: {turns} turns, {characters} characters, {archive_bytes(soak)} bytes")
    print(f"unfinished replies, told in the last second before a kill: "
          f"{soak.ledger.unsaved_characters} characters unsaved")  # fmt: skip
    runs = soak.home / "runs"
    folders = sum(path.is_dir() for path in runs.iterdir())
    print(f"runs: {folders} folders, {measuring.folder_bytes(runs)} bytes with their logs")
    tell_stderr(soak.stderr.read_text(errors="replace"))
    print("at rest, first -> last, highest [bound of growth]:")
    for name, samples in soak.samples.items():
        figures = []
        for field in ("memory_mib", "open_files", "threads", "tasks", "children"):
            values = [getattr(sample, field) for sample in samples]
            bound = getattr(measuring.MAX_GROWTH, field)
            figures.append(f"{field} {values[0]} -> {values[-1]}, {max(values)} [{bound}]")
        print(f"  {name}, {len(samples)} rests: " + "; ".join(figures))
        print(f"    memory: {' '.join(str(sample.memory_mib) for sample in samples)}")


def tell_stderr(text: str) -> None:
    """Print how much the processes have said on stderr, and each kind of line once."""
    print(f"stderr: {len(text)} characters")
    kinds = Counter(VARYING.sub("#", line)[:150] for line in text.splitlines())
    for line, count in kinds.most_common(8):
        print(f"  {count:7}  {line}")


if __name__ == "__main__":
    sys.exit(main())
