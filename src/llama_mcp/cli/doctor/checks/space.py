"""Check: whether there is room on the disks that llama-mcp writes to."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread

from llama_mcp.cli.doctor.checks.home import nearest_existing
from llama_mcp.cli.doctor.findings import Circumstances, Finding, fault, fine, warning
from llama_mcp.wording import size_text

# A turn takes kilobytes, a saved prompt cache up to hundreds of megabytes.
FAULT_BYTES = 32 * 2**20
WARNING_BYTES = 2**30


async def look_at_space(circumstances: Circumstances) -> Sequence[Finding]:
    """Say how much is free where runs and archive are."""
    settings = circumstances.settings
    folders = (settings.state_dir, settings.archive_path.parent)
    return await anyio.to_thread.run_sync(look_at_disks, folders, abandon_on_cancel=True)


def look_at_disks(folders: Sequence[Path]) -> list[Finding]:
    """Say how much is free on each disk of these folders. Blocking."""
    by_disk = {os.stat(there).st_dev: there for there in map(nearest_existing, folders)}
    return [judged(there, shutil.disk_usage(there).free) for there in by_disk.values()]


def judged(folder: Path, free_bytes: int) -> Finding:
    """Say whether so much is enough."""
    text = f"{size_text(free_bytes)} free on the disk of {folder}"
    if free_bytes < FAULT_BYTES:
        return fault(f"{text}.", "Free some space there: replies cannot be kept without it.")
    if free_bytes < WARNING_BYTES:
        lower = "Free some space there, or set a lower LLAMA_MCP_KV_DISK_MB."
        return warning(f"{text}.", lower)
    return fine(text)
