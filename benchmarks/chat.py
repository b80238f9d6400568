"""What llama-mcp adds to a reply, and how quick its transport is.

    python benchmarks/chat.py [--engine PATH] [--rounds 20] [--quick]

Replies: `chat` with its chunks as progress, by turns with plain streaming HTTP to the same
llama-server, which runs a tiny model at more than a thousand tokens a second: what is added shows
as it never would with a model of use. Transport: round trips and bursts of notifications, by turns
with the SDK's own mcp.run().
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import plain_http
from measure import (
    BARE_SERVER,
    LLAMA_MCP,
    Goal,
    Row,
    Server,
    Turn,
    poor_environment,
    print_table,
    read_arguments,
    scratch_folder,
    tiny_model,
)

SHORT_TURNS = 5
SHORT_TOKENS = 32
LONG_TOKENS, QUICK_LONG_TOKENS = 3000, 1000
CROWD, CROWD_TOKENS = 32, 128
CALLS = 50
NOTIFICATIONS = 5000

FIRST_TOKEN = Row("first token", goals=[Goal("added", at_most=3)])
TURN = Row(f"turn of {SHORT_TOKENS} tokens", goals=[Goal("added", at_most=5)])
LONG = Row("one long reply", "tok/s", [Goal("ratio", at_least=0.99)])
CROWDED = Row(f"{CROWD} turns at once on 4 slots", "tok/s", [Goal("ratio", at_least=0.97)])
QUICK_CALL = [Goal("value", at_most=0.7), Goal("ratio", at_most=1)]
IDLE_STATUS = Row("status while nothing runs", goals=QUICK_CALL)
BUSY_STATUS = Row("status while a llama-server runs", goals=QUICK_CALL)
TRIVIAL = Row("the baseline's tool through our transport")
BURST = Row("progress notifications", "/s", [Goal("value", at_least=15_000)])

Chat = Callable[[Sequence[Mapping[str, Any]]], list[Turn]]


def request(number: int, tokens: int) -> dict[str, Any]:
    """Return what is asked of both; the number keeps them from sharing more than a beginning."""
    return {"message": f"{number:06d}: tell me something", "max_tokens": tokens, "temperature": 0}


def as_body(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same request as llama-server takes it."""
    rest = {name: value for name, value in asked.items() if name != "message"}
    return {"messages": [{"role": "user", "content": asked["message"]}], **rest}


class Replies:
    """Replies through llama-mcp and past it, by turns."""

    def __init__(self, server: Server, port: int) -> None:
        self._numbers = iter(range(10**6))
        self._ways: list[Chat] = [
            lambda requests: server.chat(*requests),
            lambda requests: plain_http.chat(port, [as_body(asked) for asked in requests]),
        ]

    def pair(self, turns: int, tokens: int) -> tuple[list[Turn], list[Turn]]:
        """Have so many replies at once both ways; who is first changes."""
        requests = [[request(next(self._numbers), tokens) for _ in range(turns)] for _ in range(2)]
        order = [0, 1] if next(self._numbers) % 2 else [1, 0]
        answers = {way: self._ways[way](requests[way]) for way in order}
        return answers[0], answers[1]


def measure_replies(replies: Replies, long_tokens: int) -> None:
    """Measure one round of replies."""
    for _ in range(SHORT_TURNS):
        (ours,), (plain,) = replies.pair(1, SHORT_TOKENS)
        FIRST_TOKEN.add(ours.first_token, plain.first_token)
        TURN.add(ours.total, plain.total)
    for row, turns, tokens in ((LONG, 1, long_tokens), (CROWDED, CROWD, CROWD_TOKENS)):
        row.add(*(_tokens_per_second(answers) for answers in replies.pair(turns, tokens)))


def _tokens_per_second(turns: list[Turn]) -> float:
    began = min(turn.begun_at for turn in turns)
    ended = max(turn.begun_at + turn.total / 1000 for turn in turns)
    return sum(turn.tokens for turn in turns) / (ended - began)


def measure_calls(idle: Server, busy: Server, bare: Server, bare_ours: Server) -> None:
    """Measure one round of calls of `status`, all servers by turns."""
    for _ in range(CALLS):
        baseline = _round_trip(bare)
        for row, server in ((IDLE_STATUS, idle), (BUSY_STATUS, busy), (TRIVIAL, bare_ours)):
            row.add(_round_trip(server), baseline)


def _round_trip(server: Server) -> float:
    began = time.perf_counter()
    server.call("status")
    return (time.perf_counter() - began) * 1000


def measure_bursts(bare: Server, bare_ours: Server) -> None:
    """Measure one burst through each transport."""
    BURST.add(_notifications_per_second(bare_ours), _notifications_per_second(bare))


def _notifications_per_second(server: Server) -> float:
    began = time.perf_counter()
    server.answer(server.ask_tool("burst", {"count": NOTIFICATIONS}, progress=True))
    return NOTIFICATIONS / (time.perf_counter() - began)


def measure(rounds: int, engine: str, long_tokens: int, folder: Path) -> None:
    """Start everything, measure by turns and print the tables."""
    settings = {
        "LLAMA_CPP_PATH": engine,
        "MODEL_PATH": tiny_model(folder),
        "PORT": 0,
    }
    environments = [poor_environment(folder / name, **settings) for name in ("idle", "busy")]
    with ExitStack() as stack:
        idle, busy = (stack.enter_context(Server(LLAMA_MCP, each)) for each in environments)
        bare, bare_ours = (
            stack.enter_context(Server([*BARE_SERVER, "burst", *how], environments[0]))
            for how in ([], ["ours"])
        )
        for server in (idle, busy, bare, bare_ours):
            server.hello()
        replies = Replies(busy, busy.call("start_llama_server")["port"])
        replies.pair(4, SHORT_TOKENS)
        for _ in range(rounds):
            measure_replies(replies, long_tokens)
            measure_calls(idle, busy, bare, bare_ours)
            measure_bursts(bare, bare_ours)
    print_table("Replies", "plain streaming HTTP", [FIRST_TOKEN, TURN, LONG, CROWDED])
    rows = [IDLE_STATUS, BUSY_STATUS, TRIVIAL, BURST]
    print_table("Transport", "one trivial tool under mcp.run()", rows)


def main() -> None:
    """Read the arguments and measure."""
    arguments = read_arguments(__doc__, rounds=20, quick=4)
    long_tokens = QUICK_LONG_TOKENS if arguments.quick else LONG_TOKENS
    with scratch_folder() as folder:
        measure(arguments.rounds, arguments.engine, long_tokens, folder)


if __name__ == "__main__":
    main()
