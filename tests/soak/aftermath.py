"""What is left when every client has closed: is anything wrong with it?"""

import sqlite3
from contextlib import closing

from tests.soak import measuring
from tests.soak.client import soak_client
from tests.soak.load import Soak
from tests.support.client_process import COMMAND
from tests.support.processes import end_leftovers

# Of all processes together; a warning now and then is no fault, a flood is.
MAX_STDERR_BYTES = 1_000_000


async def look_around(soak: Soak) -> list[str]:
    """Return everything that is wrong, in words; nothing is the aim."""
    for process in end_leftovers(soak.folder):
        soak.ledger.fault(f"still running: {process}")
    await _settle(soak)
    soak.ledger.compare(soak.home / "sessions.db")
    left = [f"still running at the very end: {one}" for one in end_leftovers(soak.folder)]
    return [*soak.ledger.faults, *_growth(soak), *_files(soak), *left]


async def _settle(soak: Soak) -> None:
    """Let a fresh llama-mcp find the turns whose process was killed, as the next user would."""
    async with soak_client([COMMAND], soak.environment, "modern", soak.stderr) as client:
        await client.hello()
        reply = await client.call("start_llama_server")
        if reply.is_error:
            soak.ledger.fault(f"it cannot be started any more: {reply.text[:300]}")
        text, said = soak.ledger.say("last", "words")
        reply = await client.call("chat", message=text, max_tokens=5)
        if reply.is_error:
            soak.ledger.fault(f"nobody can chat any more: {reply.text[:300]}")
        else:
            said.session_id, said.turn = reply.structure["session_id"], 1
            said.status, said.reply = "complete", reply.structure["reply"]
        for session_id in _unfinished_sessions(soak):
            await client.call("wait_for_reply", session_id=session_id, wait_seconds=60)
        await client.close()


def _unfinished_sessions(soak: Soak) -> list[str]:
    """Return the sessions whose replies outlived the processes that had asked for them."""
    with closing(sqlite3.connect(soak.home / "sessions.db")) as archive:
        rows = archive.execute(
            "SELECT session_id FROM underway JOIN turns USING (turn_key)"
            " JOIN sessions USING (session_key)"
        ).fetchall()
    return [session_id for (session_id,) in rows]


def _growth(soak: Soak) -> list[str]:
    return [
        fault
        for name, samples in soak.samples.items()
        for fault in measuring.growth_faults(name, samples)
    ]


def _files(soak: Soak) -> list[str]:
    faults = []
    runs = soak.home / "runs"
    folders = [path for path in runs.iterdir() if path.is_dir()]
    if len(folders) > measuring.MAX_RUN_FOLDERS:
        faults.append(f"{len(folders)} folders of runs are kept")
    if (size := measuring.folder_bytes(runs)) > measuring.MAX_LOGS_BYTES:
        faults.append(f"runs and their logs take {size} bytes")
    if (size := archive_bytes(soak)) > (bound := archive_bound(soak)):
        faults.append(f"the archive takes {size} bytes, at most {bound} are allowed")
    stderr = soak.stderr.read_text(errors="replace")
    if "Traceback" in stderr:
        faults.append("a traceback: " + stderr[stderr.index("Traceback") - 300 :][:3000])
    if len(stderr) > MAX_STDERR_BYTES:
        faults.append(f"stderr has {len(stderr)} characters")
    return faults


def archive_bytes(soak: Soak) -> int:
    """Return how much the archive takes, with its write-ahead log."""
    return sum(path.stat().st_size for path in soak.home.glob("sessions.db*"))


def archive_bound(soak: Soak) -> int:
    """Return how much it may take for what is in it."""
    turns, characters = count_archive(soak)
    return (
        measuring.ARCHIVE_BYTES_AT_LEAST
        + turns * measuring.ARCHIVE_BYTES_PER_TURN
        + characters * measuring.ARCHIVE_BYTES_PER_TEXT_BYTE
    )


def count_archive(soak: Soak) -> tuple[int, int]:
    """Return how many turns and how many characters of text the archive has."""
    with closing(sqlite3.connect(soak.home / "sessions.db")) as archive:
        turns, characters = archive.execute(
            "SELECT count(*), total(length(message) + length(reply) + length(reasoning)) FROM turns"
        ).fetchone()
    return int(turns), int(characters)
