"""How soon llama-mcp is there, how much memory it takes, and how soon it is gone.

    python benchmarks/cold_start.py [--quick]

Compares it, by turns, with a server of the same SDK that has one tool and nothing else. Bytecode is
compiled: each is started once before anything is measured. The first call is where llama-mcp
imports the SDK. At the end llama-mcp is started beside six busy loops.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
from measuring import quiet
from measuring.mcp_client import Server
from measuring.processes import milliseconds, processor_seconds
from measuring.rows import Goal, Row, Table, print_table
from measuring.scene import BARE_SERVER, LLAMA_MCP, poor_environment, read_arguments, scratch_folder

FIRST = Row("spawn to the answer of initialize", goals=[Goal("ratio", at_most=0.06)])
TOOLS = Row("spawn to the answer of tools/list", goals=[Goal("ratio", at_most=0.06)])
PROCESSOR = Row("processor time by then (less noisy)", goals=[Goal("ratio")])
RESIDENT = Row("memory then (resident)", "MiB", [Goal("value", at_most=12)])
UNSHARED = Row("memory then (its own alone)", "MiB", [Goal("value")])
CALL = Row("spawn to the answer of the first call", goals=[Goal("ratio", at_most=1.10)])
CALL_PROCESSOR = Row("processor time by the first call", goals=[Goal("ratio")])
CALL_RESIDENT = Row("memory after the first call", "MiB", [Goal("ratio")])
EXIT = Row("closed stdin to exit", goals=[Goal("value", at_most=150)])
ROWS = [
    FIRST,
    TOOLS,
    PROCESSOR,
    RESIDENT,
    UNSHARED,
    CALL,
    CALL_PROCESSOR,
    CALL_RESIDENT,
    EXIT,
]
ROUNDS, QUICK_ROUNDS = 15, 5
BUSY_LOOPS = 6
BUSY_STARTS = 20
BUSY = Row(f"the slowest initialize of {BUSY_STARTS}", goals=[Goal("value", at_most=150)])
BUSY_MEDIAN = Row("their median")
LISTED = Row(f"the slowest tools/list of {BUSY_STARTS}, sent while the SDK is imported")
# By then the import is under way, and has long to go on a busy machine.
IMPORT_BEGUN_SECONDS = 0.1


def look(argv: list[str], environment: dict[str, str]) -> list[float]:
    """Start the server once and return what the rows are about, in their order."""
    server = Server(argv, environment)
    server.hello()
    first = milliseconds(server.spawned_at)
    server.answer(server.ask("tools/list"))
    tools = milliseconds(server.spawned_at)
    process = psutil.Process(server.pid)
    used, memory = processor_seconds(process) * 1000, process.memory_full_info()
    resident, unshared = memory.rss / 2**20, memory.uss / 2**20
    looked = milliseconds(server.spawned_at) - tools
    server.call("status")
    called = milliseconds(server.spawned_at) - looked
    used_by_call = processor_seconds(process) * 1000
    resident_then = process.memory_info().rss / 2**20
    return [
        first,
        tools,
        used,
        resident,
        unshared,
        called,
        used_by_call,
        resident_then,
        server.close(),
    ]


def measure(_engine: str, folder: Path, is_quick: bool) -> list[Table]:
    """Measure both by turns, ours as two equal builds."""
    environment = poor_environment(folder)
    ways = [partial(look, argv, environment) for argv in (LLAMA_MCP, LLAMA_MCP, BARE_SERVER)]
    for way in ways[1:]:
        way()
    for ours, twin, bare in quiet.by_turns(ways, QUICK_ROUNDS if is_quick else ROUNDS):
        for row, *values in zip(ROWS, ours, bare, twin, strict=True):
            row.add(*values)
    fastest = ", ".join(
        f"{row.name}: {min(row.ours):.4g} and {min(row.baseline):.4g} {row.unit}"
        for row in (FIRST, TOOLS, CALL, CALL_PROCESSOR)
    )
    print(f"The least of all rounds, ours and the baseline's: {fastest}")
    return [Table("Cold start", "a bare MCPServer under mcp.run()", ROWS)]


def measure_busy(folder: Path) -> None:
    """Start llama-mcp while all processors have other work."""
    environment = poor_environment(folder)
    taken, python, listed = [], [], []
    with busy_loops(BUSY_LOOPS):
        for _ in range(BUSY_STARTS):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", ""], env=environment, check=True)
            python.append(milliseconds(began))
            with Server(LLAMA_MCP, environment) as server:
                server.hello()
                taken.append(milliseconds(server.spawned_at))
                listed.append(look_at_list(server))
    LISTED.add(max(listed), max(python))
    BUSY.add(max(taken), max(python))
    BUSY_MEDIAN.add(statistics.median(taken), statistics.median(python))
    baseline = "a Python that begins and ends"
    print_table(f"Beside {BUSY_LOOPS} busy loops", baseline, [BUSY, BUSY_MEDIAN, LISTED])
    print(f"within 150 ms: {sum(each <= 150 for each in taken)} of {BUSY_STARTS}")


def look_at_list(server: Server) -> float:
    """Return how many milliseconds the list of tools takes behind the first call."""
    call = server.ask_tool("status", {})
    time.sleep(IMPORT_BEGUN_SECONDS)
    began = time.perf_counter()
    server.answer(server.ask("tools/list"))
    taken = milliseconds(began)
    server.answer(call)
    return taken


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Keep as many processes busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main() -> None:
    """Read the arguments and measure."""
    arguments = read_arguments(__doc__)
    with scratch_folder() as folder:
        for table in measure(arguments.engine, folder, arguments.quick):
            table.print()
        measure_busy(folder)


if __name__ == "__main__":
    main()
