"""How much memory a process of llama-mcp takes for turns that are over.

    python benchmarks/held_turns.py [--engine PATH] [--quick]

1,000 turns, each in a session of its own, in each of two equal builds: by how much has the memory
that is theirs alone grown?
"""

from contextlib import ExitStack
from itertools import count
from pathlib import Path

import psutil
from measuring.equal_builds import equal_builds, request, settings_for
from measuring.mcp_client import Server
from measuring.part import measure_alone
from measuring.rows import Goal, Row, Table
from measuring.scene import poor_environment, tiny_model

TURNS, QUICK_TURNS = 1000, 200
WARM_UP_TURNS = 50
TOKENS = 64


def own_mib(server: Server) -> float:
    """Return the memory that a process shares with none, in MiB."""
    memory: int = psutil.Process(server.pid).memory_full_info().uss
    return memory / 2**20


def growth_mib(server: Server, numbers: "count[int]", turns: int) -> float:
    """Take these turns; return by how many MiB the process has grown."""
    for _ in range(WARM_UP_TURNS):
        server.chat(request(next(numbers), TOKENS))
    before = own_mib(server)
    for _ in range(turns):
        server.chat(request(next(numbers), TOKENS))
    return own_mib(server) - before


def measure(engine: str, folder: Path, is_quick: bool) -> list[Table]:
    """Measure both builds."""
    turns = QUICK_TURNS if is_quick else TURNS
    row = Row(f"memory that {turns} turns leave", "MiB", [Goal("value", at_most=3)])
    numbers = count()
    environment = poor_environment(folder, **settings_for(engine, tiny_model(folder)))
    with ExitStack() as stack:
        one, two, _ = equal_builds(stack, environment)
        row.add(growth_mib(one, numbers, turns), None, growth_mib(two, numbers, turns))
    return [Table("Turns that are over", "none", [row])]


if __name__ == "__main__":
    measure_alone(__doc__, measure)
