"""What of the archive works where nothing can be synced: what waits for the disk fails then.

python no_syncs_program.py ARCHIVE SCENARIO

Linux alone: a filter of system calls answers EIO to fsync and fdatasync from then on. Exit code 77
says that this system takes no such filter.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import anyio

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.jobs import FinishedPiece, JobState
from llama_mcp.sessions.records import TurnEnding, TurnStatus

NO_FILTER_EXIT_CODE = 77

# linux/prctl.h, linux/seccomp.h, linux/bpf_common.h
_NO_NEW_PRIVILEGES, _SET_FILTER, _OF_ALL_THREADS = 38, 1, 1
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _FAIL_WITH = 0x7FFF0000, 0x00050000
# asm/unistd.h: fsync, fdatasync and seccomp
_NUMBERS = {"x86_64": (74, 75, 317), "aarch64": (82, 83, 277)}

Attempts = Mapping[str, Callable[[], Awaitable[object]]]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def forbid_syncs() -> None:
    """Have fsync and fdatasync fail in this process from now on."""
    if platform.machine() not in _NUMBERS:
        sys.exit(NO_FILTER_EXIT_CODE)
    fsync, fdatasync, seccomp = _NUMBERS[platform.machine()]
    instructions = (
        (_LOAD, 0, 0, 0),  # the number of the system call
        (_JUMP_IF_EQUAL, 1, 0, fsync),
        (_JUMP_IF_EQUAL, 0, 1, fdatasync),
        (_RETURN, 0, 0, _FAIL_WITH | errno.EIO),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *each) for each in instructions)
    )
    program = _Program(len(instructions), ctypes.addressof(code))
    libc = ctypes.CDLL(None)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.syscall(
        seccomp, _SET_FILTER, _OF_ALL_THREADS, ctypes.byref(program)
    ):
        sys.exit(NO_FILTER_EXIT_CODE)


async def attempt(attempts: Attempts) -> None:
    """Print of each what has come of it."""
    for name, action in attempts.items():
        try:
            await action()
            print(name, "done", sep=": ")
        except ArchiveError as error:
            print(name, "refused" if "IOERR_FSYNC" in str(error) else error, sep=": ")


async def begin(archive: Archive, stream_id: str | None = None) -> str:
    begun = await archive.begin_turn(
        None, "hello", run="run", stream_id=stream_id, owner=LOCAL_OWNER
    )
    return begun.session.session_id


async def end(archive: Archive, session_id: str, status: TurnStatus = TurnStatus.COMPLETE) -> None:
    await archive.end_turn(session_id, 1, TurnEnding(status=status, reply="a reply"))


async def have_all_kinds(path: Path, archive: Archive) -> Attempts:
    """Have sessions in all states, and return one of each kind of write."""
    ended, deleted, cancelled = await begin(archive), await begin(archive), await begin(archive)
    await end(archive, ended)
    await end(archive, deleted)
    await end(archive, cancelled, TurnStatus.CANCELLED)
    reopened, _ = await archive.begun_again(cancelled)
    other = Archive(path)
    left = await begin(other, "stream")
    await begin(other)
    await other.close()
    underway, job = await begin(archive), await begin(archive)
    begun, over = JobState(planned=1), JobState(planned=1, done=1)
    piece = FinishedPiece(0, 1, "", "file", None, "a reply")
    return {
        # The first one finds a turn whose process has ended, and marks it as interrupted.
        "begin_turn": lambda: begin(archive),
        "begin_turn in a session": lambda: archive.begin_turn(ended, "hello", owner=LOCAL_OWNER),
        "save_partial": lambda: archive.save_partial(underway, 1, "a", ""),
        "set_cut": lambda: archive.set_cut(underway, 1),
        "note_run": lambda: archive.note_run(underway, 1, "another run"),
        "ask_cancel": lambda: archive.ask_cancel(underway, 1, owner=LOCAL_OWNER),
        "note_told": lambda: archive.note_told(underway, 1),
        "adopt_turn": lambda: archive.adopt_turn(left, owner=LOCAL_OWNER),
        "reopen_turn": lambda: archive.reopen_turn(reopened, "run"),
        "begin_job": lambda: archive.begin_job(job, 1, "call", begun),
        "save_piece": lambda: archive.save_piece(job, 1, piece, begun),
        "end_job": lambda: archive.end_job(job, 1, over),
        "forget_pieces": lambda: archive.forget_pieces(job, 1),
        "update_session": lambda: archive.update_session(
            underway, title="title", owner=LOCAL_OWNER
        ),
        "fork_session": lambda: archive.fork_session(deleted, 1, owner=LOCAL_OWNER),
        "delete_session": lambda: archive.delete_session(deleted, owner=LOCAL_OWNER),
        "end_turn": lambda: end(archive, underway),
    }


async def every_write(path: Path, archive: Archive) -> None:
    """Do one of each."""
    attempts = await have_all_kinds(path, archive)
    forbid_syncs()
    await attempt(attempts)


async def begin_with_a_long_log(path: Path, archive: Archive) -> None:
    """Begin a turn when the log of writes is longer than SQLite lets it be."""
    await archive.begin_turn(None, "long " * 1_000_000, owner=LOCAL_OWNER)
    assert size_of(f"{path}-wal") > 4_500_000
    await begin_without_syncs(archive)


async def begin_with_a_log_just_checkpointed(path: Path, archive: Archive) -> None:
    """Begin a turn when what was in the log has just been brought into the file."""
    begun = await archive.begin_turn(None, "long " * 1_000_000, owner=LOCAL_OWNER)
    before = size_of(path)
    await end(archive, begun.session.session_id)
    assert size_of(path) > before + 4_500_000
    await begin_without_syncs(archive)


async def begin_without_syncs(archive: Archive) -> None:
    forbid_syncs()
    await attempt({"begin_turn": lambda: begin(archive)})


def size_of(path: Path | str) -> int:
    return os.stat(path).st_size


async def main(path: Path, scenario: str) -> None:
    archive = Archive(path)
    await globals()[scenario](path, archive)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2])
