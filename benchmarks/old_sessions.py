"""What beginning a turn costs as a session grows.

    python benchmarks/old_sessions.py [--engine PATH] [--quick]

Sessions of 100, 1,000 and 4,000 turns: what the archive takes to begin a turn in them, beside one
in a session of a single turn. Then the whole way of a turn in a session of 400, with all of them in
the context window, beside plain HTTP with the same messages.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from measuring import plain_http, quiet
from measuring.equal_builds import equal_builds, settings_for
from measuring.filled_archive import OpenArchives, Operation, TurnsIn, fill
from measuring.mcp_client import Server
from measuring.part import measure_alone
from measuring.rows import Goal, Row, Table
from measuring.scene import poor_environment, tiny_model

BEGIN_GOALS = {100: Goal("added"), 1000: Goal("added"), 4000: Goal("value", at_most=8)}
ROUNDS, QUICK_ROUNDS = 60, 10

WHOLE_TURNS = 400
WHOLE_ROUNDS, QUICK_WHOLE_ROUNDS = 40, 6
REPLY_TOKENS = 8
# The tiny model reads every letter. Each way has a beginning of its own, or they would share slots.
MESSAGES, REPLY = ("a", "c", "d"), "b"
CTX_SIZE = 24_000


def measure_begin(folder: Path, rounds: int) -> Table:
    """Measure what the archive takes to begin a turn in sessions of each length."""
    path = folder / "sessions.db"
    lengths = [1, *BEGIN_GOALS]
    ids = [fill(path, n, n + 1, turns)[0] for n, turns in enumerate(lengths)]
    rows = []
    with OpenArchives() as opened:
        archives = [opened.open(path) for _ in range(2)]

        def beginning(number: int, session: str) -> Callable[[], float]:
            turns = TurnsIn(archives[number])
            begin: Operation = lambda: turns.begin(session)  # noqa: E731 - named for its type
            return opened.taking(begin, turns.end)

        for turns, session in zip(lengths[1:], ids[1:], strict=True):
            row = Row(f"begin a turn after {turns} others", goals=[BEGIN_GOALS[turns]])
            ways = [beginning(0, session), beginning(1, session), beginning(0, ids[0])]
            for ours, twin, baseline in quiet.by_turns(ways, rounds):
                row.add(ours, baseline, twin)
            rows.append(row)
    return Table("Old sessions, the archive", "a session of one turn", rows)


def going_on(server: Server, path: Path, number: int) -> Callable[[], float]:
    """Fill a session; return what takes one more turn in it and tells when its first token came."""
    message = MESSAGES[number]
    (session_id,) = fill(path, number, number + 1, WHOLE_TURNS, [(message, REPLY)])
    asked = {"session_id": session_id, "message": message}

    def take() -> float:
        (turn,) = server.chat({**asked, "max_tokens": REPLY_TOKENS, "temperature": 0})
        return turn.first_token

    return take


def going_on_past(port: int, message: str) -> Callable[[], float]:
    """Return what does the same over plain HTTP."""
    messages: list[dict[str, str]] = []

    def say(text: str, reply: str) -> None:
        messages.append({"role": "user", "content": text})
        messages.append({"role": "assistant", "content": reply})

    for _ in range(WHOLE_TURNS):
        say(message, REPLY)

    def take() -> float:
        new = {"role": "user", "content": message}
        body: dict[str, Any] = {"messages": [*messages, new], "max_tokens": REPLY_TOKENS}
        (turn,) = plain_http.chat(port, [body | {"temperature": 0}])
        say(message, turn.text)
        return turn.first_token

    return take


def measure_whole(engine: str, folder: Path, rounds: int) -> Table:
    """Measure the first token in sessions whose every turn is in the prompt."""
    name = f"first token after {WHOLE_TURNS} turns"
    row = Row(name, goals=[Goal("added", at_most=10)])
    settings = settings_for(engine, tiny_model(folder)) | {"CTX_SIZE": CTX_SIZE, "PARALLEL": 3}
    environment = poor_environment(folder, **settings)
    with ExitStack() as stack:
        one, two, port = equal_builds(stack, environment)
        one.call("list_sessions")  # begins the archive
        path = Path(environment["LLAMA_MCP_HOME"]) / "sessions.db"
        ways = [going_on(server, path, number) for number, server in enumerate((one, two))]
        ways.append(going_on_past(port, MESSAGES[2]))
        for way in (*ways, *ways):
            way()
        for first, twin, plain in quiet.by_turns(ways, rounds):
            row.add(first, plain, twin)
    return Table("Old sessions, the whole way", "plain streaming HTTP", [row])


def measure(engine: str, folder: Path, is_quick: bool) -> list[Table]:
    """Measure the archive, then the whole way."""
    return [
        measure_begin(folder, QUICK_ROUNDS if is_quick else ROUNDS),
        measure_whole(engine, folder, QUICK_WHOLE_ROUNDS if is_quick else WHOLE_ROUNDS),
    ]


if __name__ == "__main__":
    measure_alone(__doc__, measure)
