"""How long the archive takes, and how that grows with what is in it.

    python benchmarks/archive.py [--sessions 10000] [--turns 100] [--folder FOLDER]

Builds one archive with a tenth of the sessions and one with all, and measures the two by turns, so
that what else the machine does troubles both alike. Append and list must not grow with the number
of sessions; the ratio column says so.
"""

import argparse
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import anyio

from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from llama_mcp.sessions.session_ids import mint_session_id
from llama_mcp.sessions.sqlite.rows import build_turn_key
from llama_mcp.sessions.sqlite.store import Store
from llama_mcp.sessions.texts import utc_now

Operation = Callable[[], Awaitable[object]]

_REPETITIONS = 200
_MEASURE_SECONDS = 10
_MESSAGE_WORDS = 30
_REPLY_WORDS = 90
_RARE_EVERY_TURNS = 5000
_BATCH_SESSIONS = 100

_random = random.Random(1)
_VOCABULARY = ["".join(_random.choices("abcdefghijklmnopqrst", k=6)) for _ in range(20_000)]
# Words as they are in a language: the first in every text, the last almost nowhere.
_WEIGHTS = [1 / rank for rank in range(1, len(_VOCABULARY) + 1)]
_TEXTS = [
    (" ".join(words[:_MESSAGE_WORDS]), " ".join(words[_MESSAGE_WORDS:]))
    for words in (
        _random.choices(_VOCABULARY, _WEIGHTS, k=_MESSAGE_WORDS + _REPLY_WORDS)
        for _ in range(2_000)
    )
]


def fill(path: Path, first: int, last: int, turns: int) -> list[str]:
    """Add the sessions numbered from first to last, exclusive, and return their ids."""
    store = Store(path)
    ids = []
    for start in range(first, last, _BATCH_SESSIONS):
        batch = range(start, min(start + _BATCH_SESSIONS, last))
        with store.writing() as connection:
            for number in batch:
                ids.append(mint_session_id())
                now = utc_now()
                key = connection.execute(
                    "INSERT INTO sessions (session_id, title, created_at_utc, updated_at_utc,"
                    " last_change, turn_count) VALUES (?, ?, ?, ?, ?, ?)",
                    (ids[-1], f"Session {number}", now, now, number + 1, turns),
                ).lastrowid
                assert key is not None
                connection.executemany(
                    "INSERT INTO turns (turn_key, status, sampling, started_at_utc, ended_at_utc,"
                    " message, reply) VALUES (?, 'complete', '{}', ?, ?, ?, ?)",
                    _turn_rows(key, number * turns, turns, now),
                )
            connection.execute("UPDATE totals SET last_change = ?", (batch.stop,))
    store.close()
    print(f"{last} sessions of {turns} turns: {path.stat().st_size / 1e6:.0f} MB")
    return ids


def read_once(path: Path) -> None:
    """Bring the file into the system's cache: how slow the disk is, is another question."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


def _turn_rows(session_key: int, first: int, turns: int, now: str) -> Iterator[tuple[object, ...]]:
    for turn in range(1, turns + 1):
        message, reply = _random.choice(_TEXTS)
        if (first + turn) % _RARE_EVERY_TURNS == 0:
            message += " needle"
        yield build_turn_key(session_key, turn), now, now, message, reply


async def operations(archive: Archive, ids: list[str]) -> dict[str, Operation]:
    """Return what is measured, by name."""
    middle = (await archive.list_sessions(limit=len(ids) // 2)).next_before
    message, reply = _TEXTS[0]
    ending = TurnEnding(
        status=TurnStatus.COMPLETE, reply=reply, model="model", finish_reason="stop"
    )

    async def append() -> None:
        begun = await archive.begin_turn(_random.choice(ids), message, sampling={"seed": 1})
        await archive.save_partial(begun.session.session_id, begun.turn, reply[:200], "")
        await archive.end_turn(begun.session.session_id, begun.turn, ending)

    async def append_to_new() -> None:
        begun = await archive.begin_turn(None, message, sampling={"seed": 1})
        await archive.end_turn(begun.session.session_id, begun.turn, ending)

    return {
        "append a turn (begin, partial, end)": append,
        "append a turn in a new session": append_to_new,
        "read 50 turns": lambda: archive.turns(_random.choice(ids), offset=25),
        "list the 20 newest": archive.list_sessions,
        "list 20 from the middle": lambda: archive.list_sessions(before=middle),
        "search a rare word": lambda: archive.list_sessions("needle"),
        "search a word in every session": lambda: archive.list_sessions(_VOCABULARY[0]),
        "search two common words": lambda: archive.list_sessions(" ".join(_VOCABULARY[1:3])),
        "search the beginning of many words": lambda: archive.list_sessions(_VOCABULARY[0][:3]),
    }


async def measure(each: list[Operation]) -> list[list[float]]:
    """Return how many milliseconds the operations took, by turns."""
    taken: list[list[float]] = [[] for _ in each]
    began = time.perf_counter()
    # A slow operation is known well enough after a few seconds.
    while len(taken[0]) < _REPETITIONS and time.perf_counter() - began < _MEASURE_SECONDS:
        for times, operation in zip(taken, each, strict=True):
            start = time.perf_counter()
            await operation()
            times.append((time.perf_counter() - start) * 1000)
    return taken


def report(name: str, small: list[float], large: list[float]) -> None:
    """Print one line."""
    ratio = statistics.median(large) / statistics.median(small)
    print(f"{name:36}{_figures(small):>16}{_figures(large):>18}{ratio:8.2f}")


def _figures(taken: list[float]) -> str:
    worst = sorted(taken)[int(len(taken) * 0.99)]
    return f"{statistics.median(taken):.2f} ({worst:.1f})"


async def run(folder: Path, sessions: int, turns: int) -> None:
    """Build both archives, measure, report."""
    tenth = max(1, sessions // 10)
    small, large = folder / "small.db", folder / "large.db"
    ids = fill(small, 0, tenth, turns)
    shutil.copy(small, large)
    all_ids = ids + fill(large, tenth, sessions, turns)
    read_once(large)
    archives = [Archive(small), Archive(large)]
    measured = [await operations(archives[0], ids), await operations(archives[1], all_ids)]
    print(f"{'median ms (99th percentile)':36}{tenth:>16}{sessions:>18}{'ratio':>8}")
    for name in measured[0]:
        report(name, *await measure([each[name] for each in measured]))
    for archive in archives:
        await archive.close()


def main() -> None:
    """Read the arguments and run in a folder that is removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=None, help="where to build it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        anyio.run(run, Path(folder), arguments.sessions, arguments.turns)


if __name__ == "__main__":
    main()
