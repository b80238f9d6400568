"""What the list of resources costs when much was said.

    python benchmarks/resource_list.py [--rounds 50] [--quick]

Clients ask for the list as they connect. Compares an archive of 20 sessions of 400 turns with one
of 20 sessions of a single turn, by turns: the list must cost the same.
"""

import time
from pathlib import Path

from measuring.filled_archive import fill
from measuring.mcp_client import Server
from measuring.processes import milliseconds
from measuring.rows import Goal, Row, print_table
from measuring.scene import LLAMA_MCP, poor_environment, read_arguments, scratch_folder

SESSIONS = 20
LONG_TURNS = 400
LIST = Row("resources/list", goals=[Goal("ratio", at_most=1.2)])


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


def main() -> None:
    """Read the arguments and measure."""
    arguments = read_arguments(__doc__, rounds=50, quick=10)
    with (
        scratch_folder() as folder,
        server_with(folder / "long", LONG_TURNS) as long,
        server_with(folder / "short", 1) as short,
    ):
        list_once(long), list_once(short)
        for _ in range(arguments.rounds):
            LIST.add(list_once(long), list_once(short))
        title = f"{SESSIONS} sessions of {LONG_TURNS} turns"
        print_table(title, f"{SESSIONS} sessions of one turn", [LIST])


if __name__ == "__main__":
    main()
