"""The archive's file looked at, whatever its shape: nothing is migrated, moved or made."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from llama_mcp.sessions.sqlite.connecting import connect_to_read
from llama_mcp.sessions.sqlite.database import explained
from llama_mcp.sessions.sqlite.failures import is_damage
from llama_mcp.sessions.sqlite.migrations import MIGRATIONS, applied_count
from llama_mcp.sessions.sqlite.opening import check_owner

_DAMAGED = ".damaged-"
_SIDE_FILES = ("-wal", "-shm")
# What SQLite answers when it finds nothing wrong.
_WELL = "ok"


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """What is known of an archive that is there.

    Attributes:
        size_bytes: What the file has, with what was not yet moved into it.
        version: How many migrations made it what it is; 0 when it was never used.
        newest_version: How many this program knows.
        sessions: How many it has.
        damage: What SQLite finds wrong with it; None when nothing.
        set_aside: Damaged files that lie beside it, from which it took over.
    """

    size_bytes: int
    version: int
    newest_version: int
    sessions: int
    damage: str | None
    set_aside: tuple[str, ...]


def examine(path: Path) -> ArchiveFacts | None:
    """Return what is known of the archive; None when there is none. Reads all of the file.

    Raises:
        ArchiveError: it cannot be opened, is newer than this program, or another program's.
    """
    if not path.exists():
        return None
    set_aside = [
        each
        for each in sorted(path.parent.glob(f"{path.name}{_DAMAGED}*"))
        if not each.name.endswith(_SIDE_FILES)
    ]
    sizes = (_size(Path(f"{path}{suffix}")) for suffix in ("", "-wal"))
    with explained(path):
        try:
            version, sessions, damage = _look(path)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            version, sessions, damage = 0, 0, str(error)
    return ArchiveFacts(
        size_bytes=sum(sizes),
        version=version,
        newest_version=len(MIGRATIONS),
        sessions=sessions,
        damage=damage,
        set_aside=tuple(map(str, set_aside)),
    )


def _look(path: Path) -> tuple[int, int, str | None]:
    """Return its version, how many sessions it has, and what is damaged in it."""
    with closing(connect_to_read(path.resolve())) as connection:
        check_owner(connection, path)
        version = applied_count(connection)
        said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        count = connection.execute("SELECT count(*) FROM sessions").fetchone()[0] if version else 0
    return version, count, None if said == _WELL else said


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
