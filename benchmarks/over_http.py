"""What HTTP costs beside stdio, and the bridge beside HTTP.

    python benchmarks/over_http.py [--engine PATH] [--quick]

A call of `status` and a streamed turn, by turns over HTTP and over stdio, with one home and its
llama-server; two equal processes serve HTTP. The bridge, `llama-mcp connect`: from spawn to the
first byte that its server has of it, its memory, and what it adds to a call. The memory that idle
clients take, each with a session and a stream on which it hears of changes.
"""

import select
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path

import psutil
from measuring import quiet
from measuring.equal_builds import request, settings_for
from measuring.http_client import HttpClient, HttpServer, http_server
from measuring.mcp_client import Server, Turn
from measuring.part import measure_alone
from measuring.processes import milliseconds
from measuring.rows import Goal, Row, Table
from measuring.scene import LLAMA_MCP, poor_environment, tiny_model

CALL_ROUNDS, QUICK_CALL_ROUNDS = 300, 30
TURN_ROUNDS, QUICK_TURN_ROUNDS = 60, 8
START_ROUNDS, QUICK_START_ROUNDS = 20, 5
TOKENS = 300
IDLE_CLIENTS = 200
WARM_UP_ROUNDS = 5

CALL = Row("status over HTTP", goals=[Goal("added", at_most=1.5)])
FIRST_TOKEN = Row("first token over HTTP", goals=[Goal("added", at_most=1.5)])
TURN = Row(f"turn of {TOKENS} tokens over HTTP", goals=[Goal("ratio", at_most=1.02)])
BRIDGED = Row("status through the bridge", goals=[Goal("added", at_most=1.0)])
FORWARDED = Row("spawn of the bridge to its first request", goals=[Goal("value", at_most=30)])
RESIDENT = Row("memory of a bridge (resident)", "MiB", [Goal("value", at_most=15)])
UNSHARED = Row("memory of a bridge (its own alone)", "MiB", [Goal("value")])
IDLE = Row(f"memory of each of {IDLE_CLIENTS} idle clients", "KiB", [Goal("value", at_most=150)])
SERVING = Row("memory of the server without clients", "MiB", [Goal("value")])


def timed(act: Callable[[], object]) -> Callable[[], float]:
    """Return what does it once and tells the milliseconds."""

    def take() -> float:
        began = time.perf_counter()
        act()
        return milliseconds(began)

    return take


def measure_calls(stdio: Server, clients: list[HttpClient], bridges: list[Server], n: int) -> None:
    """Measure calls while nothing runs."""
    calls = [client.call for client in clients] + [server.call for server in (*bridges, stdio)]
    ways = [timed(partial(call, "status")) for call in calls]
    for way in ways * WARM_UP_ROUNDS:
        way()
    for over, twin, bridged, bridged_twin, plain in quiet.by_turns(ways, n):
        CALL.add(over, plain, twin)
        BRIDGED.add(bridged, over, bridged_twin)


def measure_turns(stdio: Server, clients: list[HttpClient], rounds: int) -> None:
    """Measure streamed turns."""
    numbers = count()

    def through(chat: Callable[[dict[str, object]], Turn]) -> Callable[[], Turn]:
        return lambda: chat(request(next(numbers), TOKENS))

    ways = [
        *(through(client.chat) for client in clients),
        through(lambda asked: stdio.chat(asked)[0]),
    ]
    for way in ways * WARM_UP_ROUNDS:
        way()
    for over, twin, plain in quiet.by_turns(ways, rounds):
        if {turn.tokens for turn in (over, twin, plain)} != {TOKENS}:
            raise RuntimeError("replies of different length")
        FIRST_TOKEN.add(over.first_token, plain.first_token, twin.first_token)
        TURN.add(over.total, plain.total, twin.total)


def measure_bridge(environment: dict[str, str], rounds: int) -> None:
    """Measure how soon a bridge forwards, and its memory then."""

    def take() -> list[float]:
        command = [*LLAMA_MCP, "connect", f"http://127.0.0.1:{listener.getsockname()[1]}"]
        bridge = Server(command, environment)
        bridge.ask("ping")
        select.select([listener], [], [])
        wire, _ = listener.accept()
        with wire:
            wire.recv(1)
            forwarded = milliseconds(bridge.spawned_at)
            memory = psutil.Process(bridge.pid).memory_full_info()
        bridge.close()
        return [forwarded, memory.rss / 2**20, memory.uss / 2**20]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        take()
        for ours, twin in quiet.by_turns([take, take], rounds):
            for row, value, of_twin in zip(
                (FORWARDED, RESIDENT, UNSHARED), ours, twin, strict=True
            ):
                row.add(value, None, of_twin)


def measure_idle(server: HttpServer) -> None:
    """Measure what clients take that do nothing but listen."""
    process = psutil.Process(server.pid)
    before = process.memory_info().rss
    SERVING.add(before / 2**20)
    clients = []
    for _ in range(IDLE_CLIENTS):
        asking, listening = (HttpClient(server, is_legacy=True) for _ in range(2))
        asking.hello()
        listening.take_session_of(asking)
        listening.listen()
        asking.close()
        clients.append(listening)
    IDLE.add((process.memory_info().rss - before) / 1024 / IDLE_CLIENTS)
    for client in clients:
        client.leave()


def measure(engine: str, folder: Path, is_quick: bool) -> list[Table]:
    """Measure calls, turns, bridges and idle clients."""
    settings = settings_for(engine, tiny_model(folder))
    homes = [poor_environment(folder / name, **settings) for name in ("one", "two")]
    with ExitStack() as stack:
        servers = [
            stack.enter_context(http_server(folder / f"http-{number}", home))
            for number, home in enumerate(homes)
        ]
        measure_idle(servers[0])
        clients = [HttpClient(server) for server in servers]
        stdio = stack.enter_context(Server(LLAMA_MCP, homes[0]))
        bridges = [
            stack.enter_context(Server(server.bridge_command(), home))
            for server, home in zip(servers, homes, strict=True)
        ]
        for caller in (stdio, *bridges):
            caller.hello()
        measure_calls(stdio, clients, bridges, QUICK_CALL_ROUNDS if is_quick else CALL_ROUNDS)
        measure_bridge(homes[0], QUICK_START_ROUNDS if is_quick else START_ROUNDS)
        for client in clients:
            client.call("start_llama_server")
        measure_turns(stdio, clients, QUICK_TURN_ROUNDS if is_quick else TURN_ROUNDS)
    return [
        Table("Over HTTP", "the same over stdio", [CALL, FIRST_TOKEN, TURN]),
        Table("The bridge", "HTTP without it", [BRIDGED, FORWARDED, RESIDENT, UNSHARED]),
        Table("Idle clients", "nothing", [SERVING, IDLE]),
    ]


if __name__ == "__main__":
    measure_alone(__doc__, measure)
