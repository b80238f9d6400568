"""How quickly a model is downloaded, beside curl from the same hub, and what that costs.

    python benchmarks/download.py [--rounds 5] [--quick]

The hub is that of the tests, on this machine. The time counts from the request for the bytes to the
end of the program, which for ours includes checking size and sha256, and naming the file; curl
checks nothing. Once as quickly as it goes, and once over a line of 1 Gbit/s.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from measuring.rows import Goal, Row, print_table
from measuring.scene import read_arguments, scratch_folder

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.support.fake_hub import FakeHub, fake_hub

from llama_mcp.models.download import records

REPO, MODEL = "someone/Large-GGUF", "Large-Q4_K_M.gguf"
MIB, GB = 2**20, 1e9
LINE_BYTES_PER_SECOND = 1e9 / 8


@dataclass
class Fetched:
    """One download: bytes a second, processor seconds for a GB, and memory."""

    mib_per_second: float
    cpu_seconds_per_gb: float
    memory_mib: float


def run(command: Sequence[str], folder: Path, hub: FakeHub, size_bytes: int) -> Fetched:
    """Run a program that downloads, and measure it."""
    if sys.platform == "win32":
        sys.exit("Windows does not tell what a process has used that is over.")
    hub.asked.clear()
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    ended_at = time.perf_counter()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    seconds = ended_at - hub.fetches()[0].at
    cpu_seconds = used.ru_utime + used.ru_stime
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    return Fetched(
        size_bytes / MIB / seconds, cpu_seconds * GB / size_bytes, used.ru_maxrss * unit / MIB
    )


def ours(folder: Path, hub: FakeHub, size_bytes: int) -> Fetched:
    """Download it with the program that download_model starts."""
    place = folder / uuid4().hex
    place.mkdir()
    request = records.Request(
        repo=REPO, revision="main", endpoint=hub.endpoint, cache=str(place / "cache")
    )
    records.write(str(place), records.REQUEST, request)
    command = [sys.executable, "-m", "llama_mcp.models.download", str(place)]
    fetched = run(command, place, hub, size_bytes)
    ended = records.read(str(place), records.PROGRESS, records.Progress)
    assert ended is not None and ended.state == "complete", ended
    _empty(place)
    return fetched


def curl(folder: Path, hub: FakeHub, size_bytes: int) -> Fetched:
    """Download it with curl."""
    target = folder / "curl.gguf"
    address = f"{hub.endpoint}/{REPO}/resolve/main/{MODEL}"
    fetched = run(["curl", "-sSL", "-o", str(target), address], folder, hub, size_bytes)
    target.unlink()
    return fetched


def _empty(folder: Path) -> None:
    for blob in folder.glob("cache/*/blobs/*"):
        blob.unlink()


def main() -> None:
    """Measure both by turns."""
    arguments = read_arguments(__doc__, rounds=5, quick=2)
    size_bytes = (128 if arguments.quick else 512) * MIB
    lines = {"as it goes": 0.0, "1 Gbit/s": LINE_BYTES_PER_SECOND}
    rows = []
    with scratch_folder() as folder, fake_hub() as hub:
        source = folder / MODEL
        with source.open("wb") as file:
            for _ in range(size_bytes // MIB):
                file.write(os.urandom(MIB))
        hub.add(REPO, folder, {MODEL: source})
        for name, bytes_per_second in lines.items():
            hub.bytes_per_second = bytes_per_second
            rate = Row(f"rate, {name}", "MiB/s", [Goal("ratio", at_least=0.9)])
            cpu = Row(f"processor time for a GB, {name}", "s")
            memory = Row(f"memory, {name}", "MiB")
            for _ in range(arguments.rounds):
                mine, theirs = (fetch(folder, hub, size_bytes) for fetch in (ours, curl))
                rate.add(mine.mib_per_second, theirs.mib_per_second)
                cpu.add(mine.cpu_seconds_per_gb, theirs.cpu_seconds_per_gb)
                memory.add(mine.memory_mib, theirs.memory_mib)
            rows += [rate, cpu, memory]
    print_table("downloading a model", "curl", rows)


if __name__ == "__main__":
    main()
