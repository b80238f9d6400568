"""What it costs that llama-mcp starts, keeps and stops llama-server instead of a shell.

    python benchmarks/lifecycle.py [--engine PATH] [--rounds 8] [--quick]

Every start and stop is done by turns through llama-mcp and by hand: the same command line and
environment, polled every 10 ms, and SIGTERM. The model is tiny, so that loading it hides nothing.
"""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from measuring import quiet
from measuring.mcp_client import Server
from measuring.plain_http import (
    HandLaunched,
    Stream,
    current_run,
    free_port,
    wait_until_answering,
)
from measuring.processes import milliseconds, processor_seconds
from measuring.rows import Goal, Row, print_table
from measuring.scene import LLAMA_MCP, poor_environment, read_arguments, scratch_folder, tiny_model

BY_HAND_POLL_SECONDS = 0.01
FINE_POLL_SECONDS = 0.002
STREAMS = 4
CTX_SIZE = 16384
# The embedded engine does not end in its first moments.
SETTLE_SECONDS = 0.5
# Long enough for the next llama-mcp to adopt what the one before has left.
LINGER_SECONDS = 30
IDLE_SECONDS, QUICK_IDLE_SECONDS = 20.0, 5.0

FIRST_START = Row("start, the first of a process")
LATER_START = Row("start, a later one")
LAG = Row("first possible answer to the tool's return", goals=[Goal("value", at_most=50)])
JOIN = Row("join one that another llama-mcp uses")
ADOPT = Row("adopt one that was left behind")
STOP = Row("stop")
BUSY_STOP = Row(f"stop while {STREAMS} replies stream", goals=[Goal("value", at_most=2000)])
ROWS = [FIRST_START, LATER_START, LAG, JOIN, ADOPT, STOP, BUSY_STOP]

RESIDENT = Row("memory (resident)", "MiB", [Goal("value", at_most=15)])
UNSHARED = Row("memory (its own alone)", "MiB", [Goal("value", at_most=15)])
IDLE = Row("processor while idle", "%", [Goal("value", at_most=0.2)])

# A reply that outlasts every stop.
ENDLESS = {"message": "Go on and on.", "max_tokens": CTX_SIZE - 1024, "temperature": 0}


class Lifecycle:
    """One home folder, in which llama-mcp processes come and go."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.environment = poor_environment(
            folder,
            LLAMA_CPP_PATH=engine,
            MODEL_PATH=tiny_model(folder),
            CTX_SIZE=CTX_SIZE,
            LINGER_SECONDS=LINGER_SECONDS,
        )
        self.home = Path(self.environment["LLAMA_MCP_HOME"])

    def llama_mcp(self) -> Server:
        """Return a new llama-mcp that has shaken hands."""
        server = Server(LLAMA_MCP, self.environment)
        server.hello()
        return server

    def measure_round(self, is_first: bool) -> None:
        """Go once through everything that can happen to a llama-server."""
        with self.llama_mcp() as first:
            port = free_port()
            taken, lag = start_watched(first, port)
            self._add_start(FIRST_START, taken)
            LAG.add(lag)
            with self.llama_mcp() as second:
                JOIN.add(join(second, port))
            STOP.add(*self._stops(first))
            later_port = free_port()
            self._add_start(LATER_START, start_watched(first, later_port)[0])
        with self.llama_mcp() as heir:
            ADOPT.add(join(heir, later_port))
            BUSY_STOP.add(stop_while_streaming(heir), self._busy_by_hand() if is_first else None)

    def _add_start(self, row: Row, taken: float) -> None:
        quiet.wait()
        by_hand = HandLaunched(current_run(self.home))
        answering = wait_until_answering(by_hand.port, BY_HAND_POLL_SECONDS)
        row.add(taken, (answering - by_hand.launched_at) * 1000)
        by_hand.stop()

    def _stops(self, server: Server) -> tuple[float, float]:
        by_hand = HandLaunched(current_run(self.home))
        wait_until_answering(by_hand.port, BY_HAND_POLL_SECONDS)
        time.sleep(SETTLE_SECONDS)
        quiet.wait()
        return timed_call(server, "stop_llama_server"), by_hand.stop()

    def _busy_by_hand(self) -> float:
        """Send SIGTERM while clients are connected: it waits for them, as long as they like."""
        by_hand = HandLaunched(current_run(self.home))
        wait_until_answering(by_hand.port, BY_HAND_POLL_SECONDS)
        content = [{"role": "user", "content": ENDLESS["message"]}]
        body = {"messages": content, "max_tokens": ENDLESS["max_tokens"]}
        streams = [Stream(by_hand.port, body) for _ in range(STREAMS)]
        for stream in streams:
            while not stream.turn.first_token:
                stream.read()
        taken = by_hand.stop()
        for stream in streams:
            stream.socket.close()
        return taken

    def measure_keeper(self, idle_seconds: float) -> None:
        """Look at the keeper of a llama-server that nobody talks to, and at a bare interpreter."""
        bare = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        with self.llama_mcp() as server:
            server.call("start_llama_server", port=0)
            keeper = psutil.Process(current_state(self.home)["keeper"]["pid"])
            began, used = time.monotonic(), processor_seconds(keeper)
            time.sleep(idle_seconds)
            share = (processor_seconds(keeper) - used) / (time.monotonic() - began)
            memory, least = (
                process.memory_full_info() for process in (keeper, psutil.Process(bare.pid))
            )
            RESIDENT.add(memory.rss / 2**20, least.rss / 2**20)
            UNSHARED.add(memory.uss / 2**20, least.uss / 2**20)
            IDLE.add(share * 100)
            server.call("stop_llama_server")
        bare.communicate(b"\n")


def start_watched(server: Server, port: int) -> tuple[float, float]:
    """Start llama-server through llama-mcp while somebody else looks when it can answer.

    Returns:
        Milliseconds from the call to its return, and from the first possible answer to the return.
    """
    moments: list[float] = []
    watcher = threading.Thread(
        target=lambda: moments.append(wait_until_answering(port, FINE_POLL_SECONDS))
    )
    quiet.wait()
    watcher.start()
    taken = timed_call(server, "start_llama_server", port=port)
    returned = time.perf_counter()
    watcher.join()
    return taken, (returned - moments[0]) * 1000


def join(server: Server, port: int) -> float:
    """Return the milliseconds that it takes to join the llama-server that runs."""
    quiet.wait()
    began = time.perf_counter()
    status = server.call("start_llama_server", port=port)
    if not status["already_running"]:
        raise RuntimeError("it was started anew")
    return milliseconds(began)


def timed_call(server: Server, tool: str, **arguments: Any) -> float:
    """Call a tool and return how many milliseconds it took."""
    began = time.perf_counter()
    server.call(tool, **arguments)
    return milliseconds(began)


def stop_while_streaming(server: Server) -> float:
    """Begin replies, wait until every one streams, and return the milliseconds of a stop."""
    silent = {server.ask_tool("chat", ENDLESS, progress=True) for _ in range(STREAMS)}
    while silent:
        message = server.receive()
        if "message" in message.get("params", {}):
            silent.discard(message["params"]["progressToken"])
    return timed_call(server, "stop_llama_server", force=True)


def current_state(home: Path) -> Any:
    """Return what the keeper says in state.json."""
    return json.loads((current_run(home) / "state.json").read_text())


def main() -> None:
    """Read the arguments and measure."""
    arguments = read_arguments(__doc__, rounds=8, quick=3)
    with scratch_folder() as folder:
        lifecycle = Lifecycle(folder, arguments.engine)
        for number in range(arguments.rounds):
            lifecycle.measure_round(is_first=number == 0)
        lifecycle.measure_keeper(QUICK_IDLE_SECONDS if arguments.quick else IDLE_SECONDS)
    print_table("Lifecycle", "the same by hand", ROWS)
    print_table("The keeper", "a bare Python interpreter", [RESIDENT, UNSHARED, IDLE])


if __name__ == "__main__":
    main()
