"""Archives with much in them: sessions of turns with words as they are in a language."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from llama_mcp.sessions.session_ids import mint_session_id
from llama_mcp.sessions.sqlite.rows import build_turn_key
from llama_mcp.sessions.sqlite.store import Store
from llama_mcp.sessions.texts import utc_now
from measuring.processes import milliseconds

_MESSAGE_WORDS = 30
_REPLY_WORDS = 90
_RARE_EVERY_TURNS = 5000
_BATCH_SESSIONS = 100

_random = random.Random(1)
VOCABULARY = ["".join(_random.choices("abcdefghijklmnopqrst", k=6)) for _ in range(20_000)]
# Words as they are in a language: the first in every text, the last almost nowhere.
_WEIGHTS = [1 / rank for rank in range(1, len(VOCABULARY) + 1)]
TEXTS = [
    (" ".join(words[:_MESSAGE_WORDS]), " ".join(words[_MESSAGE_WORDS:]))
    for words in (
        _random.choices(VOCABULARY, _WEIGHTS, k=_MESSAGE_WORDS + _REPLY_WORDS) for _ in range(2_000)
    )
]


def fill(
    path: Path, first: int, last: int, turns: int, texts: Sequence[tuple[str, str]] = TEXTS
) -> list[str]:
    """Add the sessions numbered from first to last, exclusive, and return their ids.

    Args:
        path: the archive, which is begun if it is not there.
        first: the number of the first session.
        last: the number after that of the last.
        turns: how many each session has; one launch of llama-server has served all.
        texts: messages and replies to choose from.
    """
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
                    "INSERT INTO turns (turn_key, status, sampling, run, model, started_at_utc,"
                    " ended_at_utc, message, reply)"
                    " VALUES (?, 'complete', '{}', 'run', 'model', ?, ?, ?, ?)",
                    _turn_rows(key, number * turns, turns, now, texts),
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


def _turn_rows(
    session_key: int, first: int, turns: int, now: str, texts: Sequence[tuple[str, str]]
) -> Iterator[tuple[object, ...]]:
    for turn in range(1, turns + 1):
        message, reply = _random.choice(texts)
        if (first + turn) % _RARE_EVERY_TURNS == 0:
            message += " needle"
        yield build_turn_key(session_key, turn), now, now, message, reply


Operation = Callable[[], Awaitable[object]]


class OpenArchives:
    """Archives open on one event loop, and how long what is done with them takes."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._archives: list[Archive] = []

    def __enter__(self) -> "OpenArchives":
        return self

    def __exit__(self, *_: object) -> None:
        for archive in self._archives:
            self._runner.run(archive.close())
        self._runner.close()

    def open(self, path: Path) -> Archive:
        """Open an archive until all are closed."""
        archive = Archive(path)
        self._archives.append(archive)
        return archive

    def taking(self, operation: Operation, after: Operation | None = None) -> Callable[[], float]:
        """Return what carries out an operation and tells the milliseconds; `after` is not timed."""

        async def carry_out() -> float:
            began = time.perf_counter()
            await operation()
            taken = milliseconds(began)
            if after is not None:
                await after()
            return taken

        return lambda: self._runner.run(carry_out())


class TurnsIn:
    """Turns that begin and end in an archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._begun: BegunTurn | None = None

    async def begin(self, session_id: str | None) -> None:
        """Begin a turn in a session; None begins a new one."""
        self._begun = await self._archive.begin_turn(
            session_id, TEXTS[0][0], sampling={"seed": 1}, owner=LOCAL_OWNER
        )

    async def save_partial(self) -> None:
        """Keep a first piece of its reply."""
        session_id, turn = self._where()
        await self._archive.save_partial(session_id, turn, TEXTS[0][1][:200], "")

    async def end(self) -> None:
        """End it with a whole reply."""
        await self._archive.end_turn(*self._where(), _ENDING)

    def _where(self) -> tuple[str, int]:
        assert self._begun is not None
        return self._begun.session.session_id, self._begun.turn


_ENDING = TurnEnding(
    status=TurnStatus.COMPLETE, reply=TEXTS[0][1], model="model", finish_reason="stop"
)
