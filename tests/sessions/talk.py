"""Short ways to have turns in an archive."""

import sqlite3
from contextlib import closing
from pathlib import Path
from stat import S_IMODE
from subprocess import PIPE, Popen
from sys import executable

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.records import TurnEnding, TurnStatus

WRITER = Path(__file__).with_name("writer_program.py")


async def say(archive: Archive, message: str, reply: str, session_id: str | None = None) -> str:
    """Have a whole turn and return the session's id."""
    begun = await archive.begin_turn(session_id, message, owner=LOCAL_OWNER)
    ending = TurnEnding(status=TurnStatus.COMPLETE, reply=reply)
    await archive.end_turn(begun.session.session_id, begun.turn, ending)
    return begun.session.session_id


async def have_session(archive: Archive, turns: int) -> str:
    """Have a session of messages 1, 2, ... and replies one, two, ... and return its id."""
    session_id = await say(archive, "message 1", "reply 1")
    for turn in range(2, turns + 1):
        await say(archive, f"message {turn}", f"reply {turn}", session_id)
    return session_id


def put(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Have a file there before the archive comes."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def mode_of(path: Path) -> int:
    return S_IMODE(path.stat().st_mode)


def damage_index(path: Path, name: str) -> bytes:
    """Overwrite the first page of a table or index of a closed archive; return the file."""
    with closing(sqlite3.connect(path)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        page = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)
        ).fetchone()[0]
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(content)
    return bytes(content)


def start_writer(*arguments: object) -> Popen[str]:
    return Popen([executable, WRITER, *map(str, arguments)], stdout=PIPE, text=True)
