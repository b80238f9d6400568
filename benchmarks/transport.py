"""How quick llama-mcp's transport is: round trips of `status` and bursts of notifications.

    python benchmarks/transport.py [--engine PATH] [--quick]

By turns with a server of the same SDK that has one trivial tool and its own mcp.run(). Each side of
llama-mcp has two equal builds.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from measuring import quiet
from measuring.equal_builds import settings_for
from measuring.mcp_client import Server
from measuring.part import measure_alone
from measuring.processes import milliseconds
from measuring.rows import Goal, Row, Table
from measuring.scene import BARE_SERVER, LLAMA_MCP, poor_environment, tiny_model

ROUNDS, QUICK_ROUNDS = 400, 40
BURST_ROUNDS, QUICK_BURST_ROUNDS = 20, 4
NOTIFICATIONS = 5000
GOALS = [Goal("ratio", at_most=1.1), Goal("value", at_most=0.7)]
OURS = [*BARE_SERVER, "burst", "ours"]
SDKS = [*BARE_SERVER, "burst"]


def round_trip(server: Server) -> Callable[[], float]:
    """Return what calls `status` once and tells the milliseconds."""

    def take() -> float:
        began = time.perf_counter()
        server.call("status")
        return milliseconds(began)

    return take


def burst(server: Server) -> Callable[[], float]:
    """Return what has a burst of notifications and tells how many came in a second."""

    def take() -> float:
        began = time.perf_counter()
        server.answer(server.ask_tool("burst", {"count": NOTIFICATIONS}, progress=True))
        return NOTIFICATIONS / (time.perf_counter() - began)

    return take


def measure(engine: str, folder: Path, is_quick: bool) -> list[Table]:
    """Measure calls and bursts."""
    settings = settings_for(engine, tiny_model(folder))
    idle, busy = (poor_environment(folder / name, **settings) for name in ("idle", "busy"))
    with ExitStack() as stack:

        def server(argv: list[str], environment: Mapping[str, str]) -> Server:
            one = stack.enter_context(Server(argv, environment))
            one.hello()
            return one

        bare = server(SDKS, idle)
        ours = {
            "status while nothing runs": [server(LLAMA_MCP, idle) for _ in range(2)],
            "status while a llama-server runs": [server(LLAMA_MCP, busy) for _ in range(2)],
            "the trivial tool through our transport": [server(OURS, idle) for _ in range(2)],
        }
        for each in ours["status while a llama-server runs"]:
            each.call("start_llama_server")
        rows = [Row(name, goals=GOALS) for name in ours]
        ways = [round_trip(each) for pair in ours.values() for each in pair]
        for *values, baseline in quiet.by_turns(
            [*ways, round_trip(bare)], QUICK_ROUNDS if is_quick else ROUNDS
        ):
            for number, row in enumerate(rows):
                row.add(values[2 * number], baseline, values[2 * number + 1])
        bursts = Row("progress notifications", "/s", [Goal("value", at_least=25_000)])
        ways = [burst(each) for each in (*ours["the trivial tool through our transport"], bare)]
        for first, twin, baseline in quiet.by_turns(
            ways, QUICK_BURST_ROUNDS if is_quick else BURST_ROUNDS
        ):
            bursts.add(first, baseline, twin)
    return [Table("Transport", "one trivial tool under mcp.run()", [*rows, bursts])]


if __name__ == "__main__":
    measure_alone(__doc__, measure)
