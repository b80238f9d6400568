"""How soon llama-mcp is there, how much memory it takes, and how soon it is gone.

    python benchmarks/cold_start.py [--rounds 15] [--quick]

Compares it, by turns, with a server of the same SDK that has one tool and nothing else. Bytecode is
compiled: each is started once before anything is measured.
"""

from pathlib import Path

import psutil
from measure import (
    BARE_SERVER,
    LLAMA_MCP,
    Goal,
    Row,
    Server,
    milliseconds,
    poor_environment,
    print_table,
    processor_seconds,
    read_arguments,
    scratch_folder,
)

FIRST = Row("spawn to the answer of initialize", goals=[Goal("ratio", at_most=1.05)])
TOOLS = Row("spawn to the answer of tools/list", goals=[Goal("ratio", at_most=1.05)])
PROCESSOR = Row("processor time by then (less noisy)")
RESIDENT = Row("memory then (resident)", "MiB", [Goal("ratio", at_most=1.10)])
UNSHARED = Row("memory then (its own alone)", "MiB", [Goal("ratio", at_most=1.10)])
EXIT = Row("closed stdin to exit", goals=[Goal("value", at_most=150)])
ROWS = [FIRST, TOOLS, PROCESSOR, RESIDENT, UNSHARED, EXIT]


def look(argv: list[str], environment: dict[str, str]) -> list[float]:
    """Start the server once and return what the rows are about, in their order."""
    server = Server(argv, environment)
    server.hello()
    first = milliseconds(server.spawned_at)
    server.answer(server.ask("tools/list"))
    tools = milliseconds(server.spawned_at)
    process = psutil.Process(server.pid)
    used, memory = processor_seconds(process) * 1000, process.memory_full_info()
    return [first, tools, used, memory.rss / 2**20, memory.uss / 2**20, server.close()]


def measure(rounds: int, folder: Path) -> None:
    """Measure both by turns, in changing order, and print the table."""
    environment = poor_environment(folder)
    for argv in (LLAMA_MCP, BARE_SERVER):
        look(argv, environment)
    for number in range(rounds):
        order = [LLAMA_MCP, BARE_SERVER][:: 1 if number % 2 else -1]
        looks = {argv[-1]: look(argv, environment) for argv in order}
        pairs = zip(looks[LLAMA_MCP[-1]], looks[BARE_SERVER[-1]], strict=True)
        for row, (ours, bare) in zip(ROWS, pairs, strict=True):
            row.add(ours, bare)
    print_table("Cold start", "a bare MCPServer under mcp.run()", ROWS)


def main() -> None:
    """Read the arguments and measure."""
    arguments = read_arguments(__doc__, rounds=15, quick=5)
    with scratch_folder() as folder:
        measure(arguments.rounds, folder)


if __name__ == "__main__":
    main()
