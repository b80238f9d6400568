"""What is left when everybody has gone: is all of it there, and each person's own?"""

import signal
import sqlite3
from contextlib import closing

import anyio

from tests.soak.ledger import MARKER
from tests.soak.over_http.load import HttpSoak
from tests.soak.over_http.prying import person_of
from tests.support.processes import PATIENCE_SECONDS, end_leftovers

# Over the first half minute of a server's life, under load; far below what a leak would take.
MAX_MEMORY_MIB = 220.0
MAX_BRIDGE_MIB = 30.0
MAX_STDERR_BYTES = 4_000_000


async def look_around(soak: HttpSoak) -> list[str]:
    """Return everything that is wrong, in words; nothing is the aim."""
    await _settle(soak)
    soak.ledger.compare(soak.home / "sessions.db")
    left = [f"still running: {one}" for one in end_leftovers(soak.folder)]
    return [*soak.ledger.faults, *_owners(soak), *_bounds(soak), *left]


async def _settle(soak: HttpSoak) -> None:
    """Let a last server bring what is unfinished to its end, and end it as an operator does."""
    async with soak.serving() as server:
        with anyio.move_on_after(PATIENCE_SECONDS):
            while _underway(soak):
                await anyio.sleep(0.2)
        server.send_signal(signal.SIGTERM)
        with anyio.fail_after(PATIENCE_SECONDS):
            if code := await server.wait():
                soak.ledger.fault(f"the last server has ended with {code}")


def _underway(soak: HttpSoak) -> int:
    with closing(sqlite3.connect(soak.home / "sessions.db")) as archive:
        (count,) = archive.execute("SELECT count(*) FROM underway").fetchone()
    return int(count)


def _owners(soak: HttpSoak) -> list[str]:
    """See that each session belongs to the person who has spoken in it."""
    with closing(sqlite3.connect(soak.home / "sessions.db")) as archive:
        rows = archive.execute(
            "SELECT session_id, owner, message FROM turns JOIN sessions USING (session_key)"
        ).fetchall()
    return [
        f"session {session_id} of {owner} has words of {person_of(marker[1:])}"
        for session_id, owner, message in rows
        for marker in MARKER.findall(message)
        if person_of(marker[1:]) != owner
    ]


def _bounds(soak: HttpSoak) -> list[str]:
    faults = []
    highest = max((max(life, default=0.0) for life in soak.memory_mib), default=0.0)
    if highest > MAX_MEMORY_MIB:
        faults.append(f"the server had {highest} MiB, at most {MAX_MEMORY_MIB} are allowed")
    if soak.bridge_mib > MAX_BRIDGE_MIB:
        faults.append(f"a bridge had {soak.bridge_mib} MiB")
    stderr = soak.stderr.read_text(errors="replace")
    if "Traceback" in stderr:
        faults.append("a traceback: " + stderr[max(0, stderr.index("Traceback") - 300) :][:3000])
    if len(stderr) > MAX_STDERR_BYTES:
        faults.append(f"stderr has {len(stderr)} characters")
    return faults
