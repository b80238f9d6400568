"""What the benchmarks share: spawn a server, talk to it with as little as possible, print figures.

The two clients here, of MCP over pipes and of plain HTTP, use blocking reads and nothing else, so
that what is measured is the server. Ours and its baseline are measured by turns and compared pair
by pair: what else the machine does troubles both alike, and the median of the pairs' ratios is what
counts.
"""

import argparse
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

LLAMA_MCP = [str(Path(sys.executable).with_name("llama-mcp"))]
BARE_SERVER = [sys.executable, str(Path(__file__).with_name("bare_server.py"))]
PATIENCE_SECONDS = 300
_READ_BYTES = 1 << 18

Environment = Mapping[str, str]


def read_arguments(
    description: str | None, *, rounds: int, quick: int, more: Iterable[str] = ()
) -> argparse.Namespace:
    """Return the arguments that every benchmark takes: engine, rounds, quick.

    Args:
        description: the program's docstring.
        rounds: how often everything is measured when nothing is said.
        quick: how often with --quick.
        more: names of further arguments, without a default.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", default="embedded", help="llama.cpp folder, or `embedded`")
    parser.add_argument("--rounds", type=int, default=None, help=f"default {rounds}")
    parser.add_argument("--quick", action="store_true", help=f"{quick} rounds, shorter replies")
    for name in more:
        parser.add_argument(name)
    arguments = parser.parse_args()
    if arguments.rounds is None:
        arguments.rounds = quick if arguments.quick else rounds
    return arguments


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a folder that is gone afterwards; say how busy the machine is before and after."""
    # So that `timeout` and the like leave no server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    print(f"{os.cpu_count()} processors, load {_load()}")
    with tempfile.TemporaryDirectory(prefix="llama-mcp-benchmark-") as folder:
        yield Path(folder)
    print(f"load at the end {_load()}")


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def tiny_model(folder: Path, context_length: int = 65536) -> Path:
    """Write the tests' tiny model, whose reply never ends by itself, and return its path."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.support.tiny_model import write_tiny_model

    return write_tiny_model(folder / "tiny.gguf", context_length=context_length)


def poor_environment(folder: Path, **settings: object) -> dict[str, str]:
    """Return what a host passes on, a home inside folder, and our settings.

    An unused llama-server ends at once unless they say otherwise.
    """
    ours = {"LINGER_SECONDS": 0} | settings
    named = {f"LLAMA_MCP_{name}": str(value) for name, value in ours.items()}
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "LLAMA_MCP_HOME": str(folder / "llama-mcp"),
        **named,
    }


def wait_for_end(process: "subprocess.Popen[bytes]") -> None:
    """Wait for a process; Popen's own time limit would make it look only every 50 ms."""
    watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
    watchdog.start()
    process.wait()
    watchdog.cancel()


def processor_seconds(process: psutil.Process) -> float:
    """Return the processor time that a process has used, to the nanosecond where that is told."""
    threads = list(Path(f"/proc/{process.pid}/task").glob("*/schedstat"))
    if threads:
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
    times = process.cpu_times()
    return float(times.user + times.system)


def milliseconds(since: float) -> float:
    """Return how long ago a moment of time.perf_counter() was."""
    return (time.perf_counter() - since) * 1000


@dataclass
class Turn:
    """One reply as its client saw it; times in milliseconds since it was asked for."""

    begun_at: float
    first_token: float = 0.0
    total: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    tokens: int = 0
    session_id: str = ""
    text: str = ""


class Server:
    """An MCP server over pipes, spoken to in raw JSON-RPC."""

    def __init__(self, argv: Sequence[str], environment: Environment) -> None:
        self.spawned_at = time.perf_counter()
        self._process = subprocess.Popen(
            argv, env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout.fileno()
        self._pending = b""
        self._lines: list[bytes] = []
        self._last_id = 0

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> float:
        """Close its stdin, wait for its end and return how many milliseconds that took."""
        began = time.perf_counter()
        if not self._stdin.closed:
            self._stdin.close()
        wait_for_end(self._process)
        return milliseconds(began)

    def ask(self, method: str, **params: Any) -> int:
        """Send a request and return its id."""
        self._last_id += 1
        self._write({"id": self._last_id, "method": method, "params": params})
        return self._last_id

    def ask_tool(self, name: str, arguments: Mapping[str, Any], *, progress: bool = False) -> int:
        """Send a call of a tool and return its id, which is its progress token too."""
        meta = {"_meta": {"progressToken": self._last_id + 1}} if progress else {}
        return self.ask("tools/call", name=name, arguments=dict(arguments), **meta)

    def hello(self) -> None:
        """Shake hands as an initialize-era client does."""
        client = {"name": "benchmark", "version": "1"}
        self.answer(
            self.ask("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=client)
        )
        self._write({"method": "notifications/initialized"})

    def receive(self) -> dict[str, Any]:
        """Return the next message."""
        while not self._lines:
            if not select.select([self._stdout], [], [], PATIENCE_SECONDS)[0]:
                raise TimeoutError("the server has fallen silent")
            piece = os.read(self._stdout, _READ_BYTES)
            if not piece:
                raise EOFError(f"the server has ended: {self._process.wait()}")
            *lines, self._pending = (self._pending + piece).split(b"\n")
            self._lines = lines[::-1]
        message: dict[str, Any] = json.loads(self._lines.pop())
        return message

    def answer(self, request_id: int) -> dict[str, Any]:
        """Return the result of a request; what comes before it is dropped."""
        while True:
            message = self.receive()
            if message.get("id") == request_id and "method" not in message:
                return _result(message)

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return the structure of its result."""
        structure: dict[str, Any] = self.answer(self.ask_tool(tool, arguments))["structuredContent"]
        return structure

    def chat(self, *requests: Mapping[str, Any]) -> list[Turn]:
        """Send all these calls of `chat` at once and see every reply to its end."""
        turns: dict[int, Turn] = {}
        for request in requests:
            begun_at = time.perf_counter()
            patient = {**request, "wait_seconds": PATIENCE_SECONDS}
            turns[self.ask_tool("chat", patient, progress=True)] = Turn(begun_at)
        left = len(turns)
        while left:
            message = self.receive()
            if message.get("method") == "notifications/progress":
                turn = turns[message["params"]["progressToken"]]
                if not turn.first_token and "message" in message["params"]:
                    turn.first_token = milliseconds(turn.begun_at)
            elif message.get("id") in turns:
                turn = turns[message["id"]]
                turn.total = milliseconds(turn.begun_at)
                _take_reply(turn, _result(message)["structuredContent"])
                left -= 1
        return list(turns.values())

    def _write(self, message: Mapping[str, Any]) -> None:
        self._stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._stdin.flush()


def _result(message: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = message.get("result") or {"isError": True}
    if result.get("isError"):
        raise RuntimeError(f"the server refused: {message}")
    return result


def _take_reply(turn: Turn, reply: Mapping[str, Any]) -> None:
    usage = reply["usage"]
    turn.prompt_tokens, turn.tokens = usage["prompt_tokens"], usage["completion_tokens"]
    turn.cached_tokens = usage.get("cached_tokens", 0)
    turn.session_id, turn.text = reply["session_id"], reply["reply"]


Measured = Literal["value", "added", "ratio"]


@dataclass(frozen=True)
class Goal:
    """What a figure should be: ours, ours less the baseline, or their ratio."""

    of: Measured
    at_most: float | None = None
    at_least: float | None = None

    def judge(self, value: float, unit: str) -> str:
        """Return the goal, the figure and whether it is met, in words."""
        limit = self.at_most if self.at_most is not None else self.at_least
        bound = "at most" if self.at_most is not None else "at least"
        is_met = value <= self.at_most if self.at_most is not None else value >= (limit or 0)
        suffix = "" if self.of == "ratio" else f" {unit}"
        verdict = "met" if is_met else "MISSED"
        return f"{self.of} {value:.3g}{suffix}, {bound} {limit:g}: {verdict}"


@dataclass
class Row:
    """One measured thing: its values, round by round, beside those of its baseline."""

    name: str
    unit: str = "ms"
    goals: Sequence[Goal] = ()
    ours: list[float] = field(default_factory=list)
    baseline: list[float] = field(default_factory=list)

    def add(self, ours: float, baseline: float | None = None) -> None:
        """Add what one round has measured."""
        self.ours.append(ours)
        if baseline is not None:
            self.baseline.append(baseline)

    def figure(self, of: Measured) -> float:
        """Return the median of the values, or of the pairs' differences or ratios."""
        pairs = list(zip(self.ours, self.baseline, strict=False))
        if of == "ratio":
            return statistics.median(ours / baseline for ours, baseline in pairs)
        if of == "added":
            return statistics.median(ours - baseline for ours, baseline in pairs)
        return statistics.median(self.ours)


def print_table(title: str, baseline: str, rows: Sequence[Row]) -> None:
    """Print a line for each row that has been measured: medians, ratio, goals."""
    print(f"\n{title}; the baseline is {baseline}")
    print(f"{'median':48}{'unit':>6}{'baseline':>10}{'ours':>10}{'ratio':>7}  goal")
    for row in rows:
        if not row.ours:
            continue
        other = f"{statistics.median(row.baseline):.4g}" if row.baseline else ""
        ratio = f"{row.figure('ratio'):.2f}" if any(row.baseline) else ""
        judged = "; ".join(goal.judge(row.figure(goal.of), row.unit) for goal in row.goals)
        ours = f"{row.figure('value'):.4g}"
        print(f"{row.name:48}{row.unit:>6}{other:>10}{ours:>10}{ratio:>7}  {judged}".rstrip())
