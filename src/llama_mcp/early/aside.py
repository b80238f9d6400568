"""Work in a child process: the memory that it takes is gone with it, and so is what hangs."""

import os
import select
import sys

from llama_mcp.early.json_text import parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_CHUNK_BYTES = 64 * 1024
_REAPINGS, _REAP_SECONDS = 20, 0.005


def done_aside(work: "Callable[[], object]", patience_seconds: float) -> "Any":
    """Return what the work gives, which is JSON data; None when it fails or takes too long.

    A folder on a network may hang for minutes, and this process must hear its client meanwhile.
    """
    if sys.platform == "win32":
        raise NotImplementedError
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _work(work, writing)
    os.close(writing)
    written = _read(reading, patience_seconds)
    os.close(reading)
    if written is not None:
        os.waitpid(child, 0)
        return parsed(written.decode()) if written else None
    os.kill(child, 9)  # it is not reaped yet, so the pid is still its own
    for _ in range(_REAPINGS):  # what waits for a disk ends only then
        if os.waitpid(child, os.WNOHANG)[0]:
            break
        select.select([], [], [], _REAP_SECONDS)
    return None


def _work(work: "Callable[[], object]", writing: int) -> "NoReturn":
    """Do the work and end the process, without a trace on the wire or on stderr."""
    import json

    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        done = json.dumps(work()).encode()
        while done:
            done = done[os.write(writing, done) :]
    finally:
        os._exit(0)


def _read(reading: int, patience_seconds: float) -> bytes | None:
    """Return all that is written until its end; None when nothing comes for so long."""
    read = b""
    while select.select([reading], [], [], patience_seconds)[0]:
        data = os.read(reading, _CHUNK_BYTES)
        if not data:
            return read
        read += data
    return None
