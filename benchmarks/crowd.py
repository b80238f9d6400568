"""What llama-mcp costs while many turns go on at once, and in one long reply.

    python benchmarks/crowd.py [--engine PATH] [--quick]

32 turns at once on 4 slots, through each of two equal builds and over plain HTTP by turns. Tokens a
second depend on who gets the processors when; the processor time of llama-mcp for a token tells
more.
"""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import psutil
from measuring import plain_http, quiet
from measuring.equal_builds import as_body, equal_builds, request, settings_for
from measuring.mcp_client import Server, Turn
from measuring.part import measure_alone
from measuring.processes import processor_seconds
from measuring.rows import Goal, Row, Table
from measuring.scene import poor_environment, tiny_model

CROWD, CROWD_TOKENS = 32, 128
LONG_TOKENS = 3000
ROUNDS, QUICK_ROUNDS = 24, 4
LONG_ROUNDS, QUICK_LONG_ROUNDS = 12, 2

# Tokens a second, and the microseconds of the processor that llama-mcp used for a token.
Taken = tuple[float, float]


def through(server: Server, numbers: "count[int]", turns: int, tokens: int) -> Callable[[], Taken]:
    """Return what has so many replies at once through llama-mcp."""
    process = psutil.Process(server.pid)

    def take() -> Taken:
        used = processor_seconds(process)
        replies = server.chat(*(request(next(numbers), tokens) for _ in range(turns)))
        quiet.wait()  # what it does after the replies is theirs too
        used = processor_seconds(process) - used
        return tokens_per_second(replies), used * 1e6 / sum(turn.tokens for turn in replies)

    return take


def past(port: int, numbers: "count[int]", turns: int, tokens: int) -> Callable[[], Taken]:
    """Return what has so many replies at once over plain HTTP."""

    def take() -> Taken:
        bodies = [as_body(request(next(numbers), tokens)) for _ in range(turns)]
        return tokens_per_second(plain_http.chat(port, bodies)), 0.0

    return take


def tokens_per_second(turns: list[Turn]) -> float:
    """Return how many tokens a second all these replies brought together."""
    began = min(turn.begun_at for turn in turns)
    ended = max(turn.begun_at + turn.total / 1000 for turn in turns)
    return sum(turn.tokens for turn in turns) / (ended - began)


def measure(engine: str, folder: Path, is_quick: bool) -> list[Table]:
    """Measure the crowd and the long reply."""
    speed = Row(f"{CROWD} turns at once on 4 slots", "tok/s", [Goal("ratio", at_least=0.97)])
    token = Row("processor time of a token then", "us", [Goal("value", at_most=35)])
    long = Row(f"one reply of {LONG_TOKENS} tokens", "tok/s", [Goal("ratio", at_least=0.99)])
    long_token = Row("processor time of a token then, alone", "us", [Goal("value")])
    shapes = [
        (speed, token, CROWD, CROWD_TOKENS, QUICK_ROUNDS if is_quick else ROUNDS),
        (long, long_token, 1, LONG_TOKENS, QUICK_LONG_ROUNDS if is_quick else LONG_ROUNDS),
    ]
    numbers = count()
    environment = poor_environment(folder, **settings_for(engine, tiny_model(folder)))
    with ExitStack() as stack:
        one, two, port = equal_builds(stack, environment)
        for row, processor, turns, tokens, rounds in shapes:
            ways = [through(server, numbers, turns, tokens) for server in (one, two)]
            ways.append(past(port, numbers, turns, tokens))
            for way in ways:
                way()
            for (ours, used), (twin, used_by_twin), (plain, _) in quiet.by_turns(ways, rounds):
                row.add(ours, plain, twin)
                processor.add(used, None, used_by_twin)
    rows = [speed, token, long, long_token]
    return [Table("Many tokens", "plain streaming HTTP", rows)]


if __name__ == "__main__":
    measure_alone(__doc__, measure)
