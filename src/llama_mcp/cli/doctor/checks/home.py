"""Check: the folders in which llama-mcp keeps things: there, writable, local, with locks."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import anyio.to_thread
import psutil

from llama_mcp.cli.doctor.findings import Circumstances, Finding, fault, fine, warning
from llama_mcp.keeper import lease_locks

_ANOTHER_HOME = "Set LLAMA_MCP_HOME to a folder of yours on a local disk."
_MAKE_WRITABLE = f"Make it writable for the user that runs llama-mcp. {_ANOTHER_HOME}"
_ON_A_NETWORK = (
    *("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "webdav", "9p", "ceph"),
    *("fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.glusterfs", "glusterfs", "lustre", "afs"),
)
# More than a file system keeps for its own when it says that it is full.
_PROBE_BYTES = 65536


async def look_at_home(circumstances: Circumstances) -> Sequence[Finding]:
    """Say how it stands with the folder of runs and that of the archive."""
    settings = circumstances.settings
    folders = dict.fromkeys((settings.state_dir, settings.archive_path.parent))
    lines: list[Finding] = []
    for folder in folders:
        lines += await anyio.to_thread.run_sync(look_at_folder, folder, abandon_on_cancel=True)
    return lines


def look_at_folder(folder: Path) -> list[Finding]:
    """Say how it stands with one folder, which is not made. Blocking."""
    nearest = nearest_existing(folder)
    if not nearest.is_dir():
        return [fault(f"{folder} cannot be made: {nearest} is no folder.", _ANOTHER_HOME)]
    if nearest != folder:
        return [*_unmade(folder, nearest), *_network(nearest)]
    return [*_probed(folder), *_network(folder)]


def nearest_existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it, that is there."""
    return next((each for each in (path, *path.parents) if os.path.lexists(each)), path)


def _unmade(folder: Path, nearest: Path) -> list[Finding]:
    if os.access(nearest, os.W_OK | os.X_OK):
        return [fine(f"{folder} will be made when it is first needed")]
    return [fault(f"{folder} cannot be made: {nearest} is not writable.", _MAKE_WRITABLE)]


def _probed(folder: Path) -> list[Finding]:
    """Write a file, lock it, and take it away again."""
    probe = folder / f".doctor-{os.getpid()}"
    try:
        with probe.open("xb") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
        held = lease_locks.hold(str(probe))
        if held is None:
            return [fault(f"The file system of {folder} gives no locks.", _ANOTHER_HOME)]
        os.close(held)
    except OSError as error:
        problem = error.strerror or str(error)
        return [fault(f"{folder} cannot be written: {problem}.", _MAKE_WRITABLE)]
    finally:
        with suppress(OSError):
            probe.unlink()
    return [fine(f"{folder} is writable, and its locks work")]


def _network(folder: Path) -> list[Finding]:
    return warning_of(folder, file_system_of(folder))


def warning_of(folder: Path, kind: str | None) -> list[Finding]:
    """Warn of a folder whose kind of file system is one of a network."""
    if kind is None or kind.lower() not in _ON_A_NETWORK:
        return []
    return [
        warning(
            f"{folder} is on a network ({kind}): where locks do not reach other machines, nobody "
            "notices that a client has died.",
            _ANOTHER_HOME,
        )
    ]


def file_system_of(folder: Path) -> str | None:
    """Return the kind of file system that a folder is on; None where the system does not say."""
    path = Path(os.path.realpath(folder))
    mounts = [
        (len(each.mountpoint), each.fstype)
        for each in psutil.disk_partitions(all=True)
        if path.is_relative_to(each.mountpoint)
    ]
    return max(mounts)[1] if mounts else None
