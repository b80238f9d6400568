"""What is left when everybody has gone: is all of it there, and each person's own?"""

import re
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
# With the last line, which names the error.
TRACEBACK = re.compile(r"Traceback.*?Error[^\n]*\n", re.DOTALL)
# mcp 2.3 takes a request that comes as its session is ended for a bug, and answers it all the same.
OF_THE_SDK = "_handle_post_request"
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
        async with soak.bridge(soak.plan.names[0], "modern") as client:
            await client.hello()
            await client.call("list_sessions")  # the archive is as this version has it
        for session_id, person in _underway(soak):
            async with soak.bridge(person, "modern") as client:
                await client.hello()
                await client.call("wait_for_reply", session_id=session_id, wait_seconds=60)
        server.send_signal(signal.SIGTERM)
        with anyio.fail_after(PATIENCE_SECONDS):
            if code := await server.wait():
                soak.ledger.fault(f"the last server has ended with {code}")


def _underway(soak: HttpSoak) -> list[tuple[str, str]]:
    """Return the sessions, and whose they are, with a turn that a killed server has left."""
    with closing(sqlite3.connect(soak.home / "sessions.db")) as archive:
        rows: list[tuple[str, str]] = archive.execute(
            "SELECT session_id, owner FROM underway JOIN turns USING (turn_key)"
            " JOIN sessions USING (session_key)"
        ).fetchall()
    return rows


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
    faults += [
        f"a traceback: {found[:3000]}"
        for found in TRACEBACK.findall(stderr)
        if OF_THE_SDK not in found
    ]
    if len(stderr) > MAX_STDERR_BYTES:
        faults.append(f"stderr has {len(stderr)} characters")
    return faults
