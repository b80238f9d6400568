"""What the list of resources costs when much was said.

    python benchmarks/resource_list.py [--quick]

Clients ask for the list as they connect. Compares an archive of 20 sessions of 400 turns with one
of 20 sessions of a single turn, by turns: the list must cost the same.
"""

import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from measuring import quiet
from measuring.filled_archive import fill
from measuring.mcp_client import Server
from measuring.part import measure_alone
from measuring.processes import milliseconds
from measuring.rows import Goal, Row, Table
from measuring.scene import LLAMA_MCP, poor_environment

SESSIONS = 20
LONG_TURNS = 400
ROUNDS, QUICK_ROUNDS = 100, 10


def server_with(home: Path, turns: int) -> Server:
    """Start llama-mcp on an archive of sessions with that many turns."""
    environment = poor_environment(home)
    server = Server(LLAMA_MCP, environment)
    server.hello()
    server.call("list_sessions")  # begins the archive
    fill(Path(environment["LLAMA_MCP_HOME"]) / "sessions.db", 0, SESSIONS, turns)
    return server


def list_once(server: Server) -> float:
    """Return how many milliseconds one list takes."""
    began = time.perf_counter()
    listed = server.answer(server.ask("resources/list"))["resources"]
    taken = milliseconds(began)
    assert sum("/sessions/" in resource["uri"] for resource in listed) == SESSIONS
    return taken


def measure(_engine: str, folder: Path, is_quick: bool) -> list[Table]:
    """Measure the list with long sessions, in two equal builds, and with short ones."""
    row = Row("resources/list", goals=[Goal("ratio", at_most=1.2)])
    with ExitStack() as stack:
        lengths = {"long": LONG_TURNS, "long, too": LONG_TURNS, "short": 1}
        servers = [
            stack.enter_context(server_with(folder / name, n)) for name, n in lengths.items()
        ]
        ways = [partial(list_once, server) for server in servers]
        for way in ways:
            way()
        for ours, twin, short in quiet.by_turns(ways, QUICK_ROUNDS if is_quick else ROUNDS):
            row.add(ours, short, twin)
    title = f"{SESSIONS} sessions of {LONG_TURNS} turns"
    return [Table(title, f"{SESSIONS} sessions of one turn", [row])]


if __name__ == "__main__":
    measure_alone(__doc__, measure)
