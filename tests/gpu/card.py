"""The GPU as its maker's own program tells of it, which llama-mcp does not ask."""

import subprocess
from collections.abc import Collection

MIB = 2**20
_LIMIT_SECONDS = 30


def name() -> str:
    """Return what NVIDIA calls the first GPU."""
    return _ask("--query-gpu=name")[0]


def driver() -> str:
    """Return the driver's version."""
    return _ask("--query-gpu=driver_version")[0]


def free_bytes() -> int:
    """Return what is free of the first GPU."""
    return int(_ask("--query-gpu=memory.free")[0]) * MIB


def used_bytes() -> int:
    """Return what all programs, and the driver, use of the first GPU."""
    return int(_ask("--query-gpu=memory.used")[0]) * MIB


def used_by(pids: Collection[int]) -> int:
    """Return what these processes use of all GPUs."""
    rows = (row.split(",") for row in _ask("--query-compute-apps=pid,used_memory"))
    return sum(int(used) * MIB for pid, used in rows if int(pid) in pids and used.strip().isdigit())


def _ask(query: str) -> list[str]:
    answer = subprocess.run(
        ["nvidia-smi", query, "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        check=True,
        timeout=_LIMIT_SECONDS,
    )
    return answer.stdout.strip().splitlines()
