"""How long the archive takes with 10,000 sessions of 100 turns, and how that grows.

    python benchmarks/archive.py [--quick]

Builds one archive with a tenth of the sessions, which is the baseline, and one with all; that takes
a minute or two and 1.6 GB. Append and list must not grow with the number of sessions; the ratio
says so. The same archive opened twice is the two equal builds.
"""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

from measuring import quiet
from measuring.filled_archive import (
    VOCABULARY,
    OpenArchives,
    Operation,
    TurnsIn,
    fill,
    read_once,
)
from measuring.part import measure_alone
from measuring.rows import Goal, Row, Table

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive

SESSIONS, QUICK_SESSIONS = 10_000, 1_000
TURNS = 100
ROUNDS, QUICK_ROUNDS = 100, 20
# A slow operation is known well enough after a few seconds.
SECONDS = 12

GROWTH = Goal("ratio", at_most=1.5)
COMMON = "search a word in every session"
GOALS = {COMMON: [Goal("value", at_most=50)], "search two common words": [Goal("value")]}

_random = random.Random(2)


def operations(archive: Archive, ids: Sequence[str]) -> dict[str, Operation]:
    """Return what is measured, by name."""
    turns = TurnsIn(archive)

    async def append() -> None:
        await turns.begin(_random.choice(ids))
        await turns.save_partial()
        await turns.end()

    async def append_to_new() -> None:
        await turns.begin(None)
        await turns.end()

    return {
        "append a turn (begin, partial, end)": append,
        "append a turn in a new session": append_to_new,
        "read 50 turns": lambda: archive.turns(_random.choice(ids), offset=25, owner=LOCAL_OWNER),
        "list the 20 newest": lambda: archive.list_sessions(owner=LOCAL_OWNER),
        "search a rare word": lambda: archive.list_sessions("needle", owner=LOCAL_OWNER),
        COMMON: lambda: archive.list_sessions(VOCABULARY[0], owner=LOCAL_OWNER),
        "search two common words": lambda: archive.list_sessions(
            " ".join(VOCABULARY[1:3]), owner=LOCAL_OWNER
        ),
        "search the beginning of many words": lambda: archive.list_sessions(
            VOCABULARY[0][:3], owner=LOCAL_OWNER
        ),
    }


def measure_growth(
    opened: OpenArchives, large: Sequence[Archive], small: Archive, ids: Sequence[str], rounds: int
) -> Table:
    """Measure each operation in the large archive, opened twice, and in the small one."""
    tenth = ids[: len(ids) // 10]
    each = [operations(archive, ids) for archive in large] + [operations(small, tenth)]
    rows = []
    for name in each[0]:
        row = Row(f"{len(ids)} sessions: {name}", goals=GOALS.get(name, [GROWTH]))
        ways = [opened.taking(named[name]) for named in each]
        for ours, twin, baseline in quiet.by_turns(ways, rounds, SECONDS):
            row.add(ours, baseline, twin)
        rows.append(row)
    return Table("The archive", f"{len(tenth)} sessions", rows)


def measure_oldest(
    opened: OpenArchives, large: Sequence[Archive], ids: Sequence[str], rounds: int
) -> Table:
    """Measure turns in the session that was left longest; all others were served since."""
    oldest = iter(ids)
    row = Row(f"{len(ids)} sessions: a turn in the oldest", goals=[Goal("added", at_most=1)])

    def turn_of(turns: TurnsIn, is_oldest: bool) -> Operation:
        async def take() -> None:
            await turns.begin(next(oldest) if is_oldest else ids[-1])
            await turns.end()

        return take

    ways = [turn_of(TurnsIn(archive), True) for archive in large]
    ways.append(turn_of(TurnsIn(large[0]), False))
    for ours, twin, newest in quiet.by_turns([opened.taking(way) for way in ways], rounds, SECONDS):
        row.add(ours, newest, twin)
    return Table("What llama-server can have kept", "a turn in the newest session", [row])


def measure(_engine: str, folder: Path, is_quick: bool) -> list[Table]:
    """Build both archives and measure."""
    sessions = QUICK_SESSIONS if is_quick else SESSIONS
    rounds = QUICK_ROUNDS if is_quick else ROUNDS
    small, large = folder / "small.db", folder / "large.db"
    ids = fill(small, 0, sessions // 10, TURNS)
    shutil.copy(small, large)
    ids += fill(large, sessions // 10, sessions, TURNS)
    read_once(large)
    with OpenArchives() as opened:
        twins = [opened.open(large) for _ in range(2)]
        return [
            measure_oldest(opened, twins, ids, rounds),
            measure_growth(opened, twins, opened.open(small), ids, rounds),
        ]


if __name__ == "__main__":
    measure_alone(__doc__, measure)
