"""The turns under way in all processes, and those that ended last, with their figures.

They are read on a connection of their own, apart from the archive's one worker, so that no turn
waits for whoever looks.
"""

import heapq
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from llama_mcp.sessions.recent_turns import (
    EndedTurn,
    JobProgress,
    RecentTurns,
    TurnProgress,
    UnderwayTurn,
)
from llama_mcp.sessions.sqlite.connecting import connect_to_read
from llama_mcp.sessions.sqlite.migrations import MIGRATIONS, applied_count
from llama_mcp.sessions.sqlite.opening import check_owner
from llama_mcp.sessions.sqlite.rows import FROM_UNDERWAY, TURNS_PER_SESSION
from llama_mcp.sessions.sqlite.store import Store, settle_if_possible
from llama_mcp.sessions.sqlite.writers import Writers

TAIL_CHARACTERS = 160
# Sessions that were retitled or copied change without a turn that ends. So many are looked into for
# each turn that is wanted.
_SESSIONS_PER_TURN = 8

_JOB_FIGURES = {
    "done": "json_extract(state, '$.done')",
    "planned": "json_extract(state, '$.planned')",
    "is_planned": "json_extract(state, '$.is_planned')",
    "stage": "json_extract(state, '$.stage')",
    "files": "json_extract(state, '$.coverage.files')",
    "tokens": "json_extract(state, '$.coverage.tokens')",
    "left_out": "json_array_length(state, '$.coverage.left_out')",
}
_JOB = ", ".join(f"{value} AS job_{name}" for name, value in _JOB_FIGURES.items())
_UNDERWAY = f"""
SELECT session_id, title, turn, owner, model, started_at_utc,
    writer_id, writer_pid, stream_id, is_cancel_asked, progress,
    substr(underway.reply, -{TAIL_CHARACTERS}) AS reply,
    CASE underway.reply WHEN ''
        THEN substr(underway.reasoning, -{TAIL_CHARACTERS}) END AS reasoning,
    jobs.turn_key AS job_key, {_JOB}
{FROM_UNDERWAY} LEFT JOIN jobs USING (turn_key)
WHERE ?1 IS NULL OR owner = ?1 ORDER BY started_at_utc
"""


# One statement for both would not use the index of an owner's sessions.
def _sessions(where: str) -> str:
    return f"""
    SELECT session_key, session_id, title, owner, updated_at_utc, turn_count,
        coalesce(forked_at_turn, 0) AS copied
    FROM sessions {where} ORDER BY last_change DESC LIMIT :most
    """


SESSIONS_OF_ALL = _sessions("")
SESSIONS_OF_ONE = _sessions("WHERE owner = :owner")
# Only what stands before a turn's texts: these may be long, and what follows lies behind them.
_FIGURES = (
    *("status", "model", "started_at_utc", "ended_at_utc", "prompt_tokens", "cached_tokens"),
    *("completion_tokens", "first_token_ms", "total_ms", "prompt_tokens_per_second"),
    "tokens_per_second",
)
_ENDED = f"""
SELECT turn, {", ".join(_FIGURES)}, jobs.turn_key AS job_key, {_JOB}
FROM turns LEFT JOIN jobs USING (turn_key)
WHERE turns.turn_key BETWEEN ? AND ? AND NOT imported AND ended_at_utc > ?
ORDER BY turns.turn_key DESC LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which turns somebody wants to see."""

    limit: int
    """Of those that ended."""
    since_utc: str = ""
    """Only those that ended later."""
    owner: str | None = None
    """Only this one's; None for all."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is in the archive now."""

    turns: RecentTurns = RecentTurns()
    is_stale: bool = False
    """A process has died without an end of its turn, the file is of an older llama-mcp, or it is
    damaged: read_settled sees to that."""


def read_recent(path: Path, wanted: Wanted) -> Found:
    """Return the turns; none where there is no archive, which is not made.

    Raises:
        sqlite3.Error, OSError: It cannot be read.
        ArchiveError: It is another program's, or of a newer llama-mcp.
    """
    if not path.exists():
        return Found()
    with closing(connect_to_read(path.resolve())) as connection:
        connection.row_factory = sqlite3.Row
        check_owner(connection, path)
        if applied_count(connection) < len(MIGRATIONS):
            return Found(is_stale=True)
        connection.execute("BEGIN")
        rows = connection.execute(_UNDERWAY, (wanted.owner,)).fetchall()
        ended = _newest(connection, wanted) if wanted.limit else ()
    # After the connection: each question is one about a file.
    alive = _alive(path, rows)
    underway = tuple(
        _to_underway(row, is_left=row["writer_id"] not in alive)
        for row in rows
        if row["writer_id"] in alive or row["stream_id"] is not None
    )
    return Found(RecentTurns(underway=underway, ended=ended), len(underway) < len(rows))


def read_settled(store: Store, wanted: Wanted) -> Found:
    """Return the turns of an archive that was opened to be written, and brought up to date."""
    settle_if_possible(store)
    return read_recent(store.path, wanted)


def _alive(path: Path, rows: list[sqlite3.Row]) -> frozenset[str]:
    writers = Writers(path.with_name("writers"))
    return frozenset(each for each in {row["writer_id"] for row in rows} if writers.is_alive(each))


def _newest(connection: sqlite3.Connection, wanted: Wanted) -> tuple[EndedTurn, ...]:
    """Return the turns that ended last.

    No session changed before its last turn ended: once enough turns are known that ended after a
    session's last change, neither that session nor those before it have a newer one.
    """
    newest: list[tuple[str, int, EndedTurn]] = []
    most = wanted.limit * _SESSIONS_PER_TURN
    sessions = SESSIONS_OF_ALL if wanted.owner is None else SESSIONS_OF_ONE
    for session in connection.execute(sessions, {"owner": wanted.owner, "most": most}):
        after = wanted.since_utc
        if len(newest) == wanted.limit:
            after = max(after, newest[0][0])
        if session["updated_at_utc"] <= after:
            break
        for turn_key, turn in _ended_of(connection, session, after, wanted.limit):
            entry = turn.ended_at_utc, turn_key, turn
            if len(newest) < wanted.limit:
                heapq.heappush(newest, entry)
            elif entry > newest[0]:
                heapq.heapreplace(newest, entry)
    return tuple(turn for _, _, turn in sorted(newest, key=lambda entry: entry[:2], reverse=True))


def _ended_of(
    connection: sqlite3.Connection, session: sqlite3.Row, after: str, limit: int
) -> Iterator[tuple[int, EndedTurn]]:
    first = session["session_key"] * TURNS_PER_SESSION
    # A fork's copies were not turns of this session.
    bounds = first + session["copied"] + 1, first + session["turn_count"]
    names = "session_id", "title", "owner"
    for row in connection.execute(_ENDED, (*bounds, after, limit)):
        values = {name: row[name] for name in ("turn", *_FIGURES)}
        values |= {name: session[name] for name in names}
        yield first + row["turn"], EndedTurn(**values, job=_job_of(row))


def _to_underway(row: sqlite3.Row, *, is_left: bool) -> UnderwayTurn:
    names = "session_id", "title", "turn", "owner", "model", "started_at_utc"
    progress = row["progress"]
    return UnderwayTurn(
        **{name: row[name] for name in names},
        pid=row["writer_pid"],
        is_left=is_left,
        is_cancel_asked=bool(row["is_cancel_asked"]),
        progress=None if progress is None else TurnProgress.model_validate_json(progress),
        tail=row["reply"] or row["reasoning"] or "",
        is_reasoning=bool(row["reasoning"]),
        job=_job_of(row),
    )


def _job_of(row: sqlite3.Row) -> JobProgress | None:
    if row["job_key"] is None:
        return None
    figures = {name: row[f"job_{name}"] for name in _JOB_FIGURES}
    return JobProgress(**{name: value for name, value in figures.items() if value is not None})
