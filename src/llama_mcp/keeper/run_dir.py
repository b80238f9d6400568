"""The run directory: the files by which the keeper and llama-mcp speak to each other.

    launch.json       what was asked; written by llama-mcp before the keeper is started
    state.json        what is; written by the keeper only
    stop              its existence asks the keeper to stop llama-server; what it holds, whether to
                      save prompt caches first
    outcome.json      how loading came out; written by llama-mcp
    used              its time is when a turn last began, went on or ended; set by llama-mcp
    unresponsive      its existence says that llama-server was found to generate nothing any more
    unused            the keeper stops llama-server, since nobody holds a lease; or, when it says
                      {"reason": "idle"}, since nobody has had a turn: the next one brings it back
    keeper.lock       locked by the keeper while it lives
    keeper.log        what the keeper says of its own work
    llama-server.log  what llama-server printed
    forgotten.json    a session was deleted: {"last_task": the number of llama-server's last request
                      before; what no later one has used is not saved}
    leases/           one file for each llama-mcp process that uses the llama-server
    streams/          the replies under way that outlive their reader; the files of each begin with
                      the id of its stream, which nobody can guess:
        ID.json       written by its reader, before it asks for the reply: {"saved_bytes": how much
                      of the body is in the archive, up to the start of an event; "is_told": whether
                      a caller was told that the reply is in progress}
        ID.lock       locked by its reader
        ID.N.body     the body from byte N on; written by the keeper once the reader is gone
        ID.end.json   the keeper's last word: {"from_byte": N, "is_done": whether that is the end of
                      the reply, "why": one of the words below}

Files are written whole and renamed into place, so that a reader never sees half of one.
"""

import json
import os
from contextlib import suppress
from typing import Any

from llama_mcp.keeper import sharing

LAUNCH = "launch.json"
STATE = "state.json"
STOP = "stop"
OUTCOME = "outcome.json"
USED = "used"
UNRESPONSIVE = "unresponsive"
UNUSED = "unused"
FORGOTTEN = "forgotten.json"
# What is in the file `stop` when nothing is to be saved first.
AT_ONCE = "at once"
# What `unused`, and `exit` in state.json, say of one that had no turn for idle_seconds.
REASON, IDLE = "reason", "idle"
LOG = "llama-server.log"
LEASES = "leases"
KEEPER_LOCK = "keeper.lock"
STREAMS = "streams"
STREAM_RECORD = ".json"
STREAM_LOCK = ".lock"
STREAM_BODY = ".body"
STREAM_END = ".end.json"
# Why the keeper keeps a stream no longer: it is whole; no caller was told that it goes on; nobody
# has come in time; llama-server was stopped; llama-server does not know it, or has crashed.
DONE, UNWANTED, TIME, STOPPED, LOST = "done", "unwanted", "time", "stopped", "lost"
# Where llama-server finds the key that it asks for.
API_KEY_VARIABLE = "LLAMA_API_KEY"
# The environment of llama-server, and so of all that it starts, names the folder of its run. Not
# LLAMA_*: such names are llama-server's own settings.
RUN_VARIABLE = "KEPT_BY_LLAMA_MCP"


def write_whole(path: str, content: dict[str, Any]) -> None:
    """Replace the file at path by content as JSON.

    Its mode lets only the owner read it. Windows has no modes: there the folder's rights count.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        with open(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file)
        sharing.replace(temporary, path)
    except BaseException:  # a full disk gets no fuller by what is left of it
        with suppress(OSError):
            os.unlink(temporary)
        raise


def read_whole(path: str) -> dict[str, Any] | None:
    """Return the JSON object at path; None when there is no such file or it holds none."""
    try:
        content = json.loads(sharing.read_bytes(path))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def stream_file(folder: str, stream_id: str, ending: str) -> str:
    """Return the path of a stream's file in the run folder; an ending is one of those above."""
    return os.path.join(folder, STREAMS, f"{stream_id}{ending}")


def have_streams(runs_dir: str) -> bool:
    """Tell whether any run has a stream that is not in the archive whole."""
    try:
        folders = [entry.path for entry in os.scandir(runs_dir) if entry.is_dir()]
    except OSError:
        return False
    return any(map(registered_streams, folders))


def registered_streams(folder: str) -> list[str]:
    """Return the ids of the streams in the run folder that are not in the archive whole."""
    try:
        names = os.listdir(os.path.join(folder, STREAMS))
    except OSError:
        return []
    records = [name for name in names if name.endswith(STREAM_RECORD)]
    ids = [name.removesuffix(STREAM_RECORD) for name in records if not name.endswith(STREAM_END)]
    return sorted(id for id in ids if "." not in id)
