"""When a process started, and who its parent and children are, on macOS: by libproc, else by ps.

Not tried on a Mac. Therefore libproc's answer counts only where it names this process rightly; ps,
which every system has, costs some milliseconds a time.
"""

import ctypes
import os
import struct
import subprocess
from functools import cache

# <sys/proc_info.h>: struct proc_bsdinfo, whose fields are aligned without gaps.
_PROC_PIDTBSDINFO = 3
_PROC_PPID_ONLY = 6
_BSD_INFO = struct.Struct("=12I16s32s5Ii2Q")
_STATUS, _PID, _PARENT, _START_SECONDS, _START_MICROSECONDS = 1, 3, 4, -2, -1
_ZOMBIE = 5
_PID_BYTES = struct.calcsize("i")
_MAX_CHILDREN = 4096


def process_start(pid: int) -> str | None:
    """Return the start time of a live process; None when it is gone or only waits to be reaped."""
    if _does_libproc_tell():
        return parse_bsd_info(_bsd_info(pid), pid)
    return _ps_start(pid)


def children_of(pid: int) -> list[int]:
    """Return the pids of its children."""
    if _does_libproc_tell():
        return _libproc_children(pid)
    return [child for child, parent in _ps_parents().items() if parent == pid]


def parent_of(pid: int) -> int | None:
    """Return the pid of its parent; None when it is gone."""
    if _does_libproc_tell():
        return parse_parent(_bsd_info(pid), pid)
    return _ps_parents(pid).get(pid)


def parse_parent(info: bytes, pid: int) -> int | None:
    """Return the parent's pid in a struct proc_bsdinfo; None when it is not of that process."""
    fields = _BSD_INFO.unpack(info) if len(info) == _BSD_INFO.size else ()
    return int(fields[_PARENT]) if fields and fields[_PID] == pid else None


def parse_bsd_info(info: bytes, pid: int) -> str | None:
    """Return the start time in a struct proc_bsdinfo; None when it is not that of a live process.

    Args:
        info: what proc_pidinfo wrote; empty for a process that is gone.
        pid: whose it should be.
    """
    if len(info) != _BSD_INFO.size:
        return None
    fields = _BSD_INFO.unpack(info)
    if fields[_PID] != pid or fields[_STATUS] == _ZOMBIE:
        return None
    return f"{fields[_START_SECONDS]}.{fields[_START_MICROSECONDS]:06}"


def parse_ps(answer: str) -> str | None:
    """Return the start time in a line of `ps -o state=,lstart=`; None for a zombie or no line."""
    state, _, start = answer.strip().partition(" ")
    return start.strip() or None if state and not state.startswith("Z") else None


@cache
def _does_libproc_tell() -> bool:
    return parse_bsd_info(_bsd_info(os.getpid()), os.getpid()) is not None


def _bsd_info(pid: int) -> bytes:
    try:
        proc_pidinfo = ctypes.CDLL(None).proc_pidinfo
    except (AttributeError, TypeError):  # a system without libproc; Windows opens no None
        return b""
    buffer = ctypes.create_string_buffer(_BSD_INFO.size)
    argument = ctypes.c_uint64(0)
    written = proc_pidinfo(pid, _PROC_PIDTBSDINFO, argument, buffer, _BSD_INFO.size)
    return buffer.raw[: max(written, 0)]


def _libproc_children(pid: int) -> list[int]:
    buffer = ctypes.create_string_buffer(_MAX_CHILDREN * _PID_BYTES)
    size = ctypes.CDLL(None).proc_listpids(_PROC_PPID_ONLY, pid, buffer, len(buffer))
    return [found for (found,) in struct.iter_unpack("i", buffer.raw[: max(size, 0)]) if found]


def _ps_parents(pid: int | None = None) -> dict[int, int]:
    """Return the parent of each process, or of the one that is asked for."""
    done = subprocess.run(
        ["ps", *(["-A"] if pid is None else ["-p", str(pid)]), "-o", "pid=,ppid="],
        capture_output=True,
        text=True,
        check=False,
    )
    pairs = (line.split() for line in done.stdout.splitlines())
    return {int(child): int(parent) for child, parent in pairs}


def _ps_start(pid: int) -> str | None:
    done = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        # lstart must follow neither the locale nor the time zone, which travels with a laptop.
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC0"},
        check=False,
    )
    return parse_ps(done.stdout)
