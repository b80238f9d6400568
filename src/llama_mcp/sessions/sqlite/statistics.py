"""Statistics of the archived turns: how many, how many failed, how long they took.

They are read on a connection of their own, apart from the archive's one worker, so that no turn
waits for them.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.records import Quantiles, TurnStatistics
from llama_mcp.sessions.sqlite.connecting import connect_to_read

# Reading these takes 50 ms. Older turns say little about how it is now.
NEWEST_TURNS = 10_000
# The index of sessions by change and the turns' own key give the order: nothing is sorted, and no
# more turns are read than the limit. A fork's copies and imported history are not counted: they
# were not turns of this session.
_STATISTICS = """
WITH newest AS MATERIALIZED (
    SELECT model, status, first_token_ms, tokens_per_second,
        imported OR turn <= coalesce(forked_at_turn, 0) AS is_copy
    FROM sessions CROSS JOIN turns
        ON turn_key BETWEEN (sessions.session_key << 20) + 1
            AND (sessions.session_key << 20) + 1048575
    {whose}
    ORDER BY last_change DESC, turn_key DESC
    LIMIT ?
),
ranked AS (
    SELECT model, status,
        first_token_ms, count(first_token_ms) OVER (PARTITION BY model) AS first_tokens,
        row_number() OVER (
            PARTITION BY model, first_token_ms IS NULL ORDER BY first_token_ms
        ) AS first_token_rank,
        tokens_per_second, count(tokens_per_second) OVER (PARTITION BY model) AS rates,
        row_number() OVER (
            PARTITION BY model, tokens_per_second IS NULL ORDER BY tokens_per_second
        ) AS rate_rank
    FROM newest
    WHERE NOT is_copy AND model IS NOT NULL AND status <> 'in_progress'
)
SELECT model, count(*) AS turns, sum(status IN ('failed', 'interrupted')) AS failures,
    avg(first_token_ms) FILTER (
        WHERE first_token_rank IN ((first_tokens + 1) / 2, (first_tokens + 2) / 2)
    ) AS first_token_ms_median,
    max(first_token_ms) FILTER (
        WHERE first_token_rank = (95 * first_tokens + 99) / 100
    ) AS first_token_ms_p95,
    avg(tokens_per_second) FILTER (
        WHERE rate_rank IN ((rates + 1) / 2, (rates + 2) / 2)
    ) AS tokens_per_second_median,
    max(tokens_per_second) FILTER (
        WHERE rate_rank = (95 * rates + 99) / 100
    ) AS tokens_per_second_p95
FROM ranked GROUP BY model ORDER BY count(*) DESC, model
"""
# Changes whenever the answer may: sessions begin, change or are deleted, and turns are interrupted.
# All of it is in files of every version: reading statistics migrates nothing.
_VERSION = """
SELECT (SELECT max(last_change) FROM sessions), (SELECT max(session_key) FROM sessions),
    (SELECT sessions FROM totals), (SELECT count(*) FROM underway)
"""

# A file that no process of today has opened yet has no owners: all in it is the first one's.
_HAS_OWNERS = "SELECT count(*) FROM pragma_table_info('sessions') WHERE name = 'owner'"

Version = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The statistics of one state of the archive, the model with most turns first."""

    version: Version | None = None
    of_models: tuple[TurnStatistics, ...] = ()


def read_statistics(
    path: Path, known: Statistics, owner: str | None, newest_turns: int = NEWEST_TURNS
) -> Statistics:
    """Return the statistics of the archive; those that are known when nothing has changed.

    Args:
        path: the archive; one that does not exist is not created, and has no turns.
        known: what was returned before, of the same owner.
        owner: whose turns; None for all.
        newest_turns: how many are read, of the sessions that changed last.

    Raises:
        sqlite3.Error, OSError: it cannot be read.
    """
    if not path.exists():
        return Statistics()
    with closing(connect_to_read(path.resolve())) as connection:
        connection.execute("BEGIN")
        version: Version = connection.execute(_VERSION).fetchone()
        if version == known.version:
            return known
        rows = _read(connection, owner, newest_turns)
    return Statistics(version, tuple(map(_to_statistics, rows)))


def _read(
    connection: sqlite3.Connection, owner: str | None, newest_turns: int
) -> list[tuple[Any, ...]]:
    if owner is not None and not connection.execute(_HAS_OWNERS).fetchone()[0]:
        if owner != LOCAL_OWNER:
            return []
        owner = None
    whose, values = ("", ()) if owner is None else ("WHERE owner = ?", (owner,))
    statement = _STATISTICS.format(whose=whose)
    return connection.execute(statement, (*values, newest_turns)).fetchall()


def _to_statistics(row: tuple[Any, ...]) -> TurnStatistics:
    model, turns, failures, first_median, first_p95, rate_median, rate_p95 = row
    return TurnStatistics(
        model=model,
        turns=turns,
        failures=failures,
        first_token_ms=_quantiles(first_median, first_p95),
        tokens_per_second=_quantiles(rate_median, rate_p95),
    )


def _quantiles(median: float | None, p95: float | None) -> Quantiles | None:
    if median is None or p95 is None:
        return None
    return Quantiles(median=round(median, 2), p95=round(p95, 2))
