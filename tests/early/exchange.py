"""llama-mcp asked line by line, with early answers and without; and whether it is early still."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.support.client_process import LlamaMCP
from tests.support.processes import PATIENCE_SECONDS
from tests.support.raw_client import ENVELOPE, INITIALIZE

_LARGEST_EARLY_BYTES = 30 * 2**20
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def request(method: str, params: Any = None, request_id: Any = 1) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return message if params is None else {**message, "params": params}


def modern(method: str, params: Any = None, request_id: Any = 1) -> dict[str, Any]:
    return request(method, {**(params or {}), "_meta": ENVELOPE}, request_id)


GREETING = request("initialize", INITIALIZE, "hello")


class Process:
    """One llama-mcp, and what it has said so far."""

    def __init__(self, process: "subprocess.Popen[bytes]", said: int) -> None:
        self.process = process
        self._said = said
        self._read = b""

    def tell(self, message: Any) -> None:
        """Send a message, or a line as it is."""
        assert self.process.stdin is not None
        line = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def lines(self, count: int) -> list[bytes]:
        """Wait until it has said so many lines, and return all that it has said."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._read.count(b"\n") < count:
            assert time.monotonic() < deadline, f"it said no more than {self._read!r}"
            self._take()
            time.sleep(0.01)
        return self._read.splitlines()

    def _take(self) -> None:
        with suppress(BlockingIOError):
            self._read += os.read(self._said, 1 << 20)

    def is_early(self) -> bool:
        """Tell whether the SDK is not imported: it alone brings pydantic's library."""
        maps = Path(f"/proc/{self.process.pid}/maps")
        if maps.exists():
            return "pydantic" not in maps.read_text()
        # Elsewhere nothing tells which libraries it has: it is some 10 MiB early, and 70 after.
        return psutil.Process(self.process.pid).memory_info().rss < _LARGEST_EARLY_BYTES

    def end(self) -> int:
        """Close stdin and return the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def started(llama_mcp: LlamaMCP, through: Path | None = None) -> Iterator[Process]:
    """Start llama-mcp over pipes; with a path it writes to a file, and is never early."""
    if sys.platform == "win32":
        raise OSError("Windows serves without early answers")
    said, wire = os.pipe() if through is None else opened_twice(through)
    os.set_blocking(said, False)
    environment = {"PATH": os.defpath, "HOME": str(llama_mcp.home.parent / "user-home")}
    process = subprocess.Popen(
        llama_mcp.command,
        stdin=subprocess.PIPE,
        stdout=wire,
        env=environment | llama_mcp.environment,
    )
    os.close(wire)
    try:
        yield Process(process, said)
    finally:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        os.close(said)


def opened_twice(path: Path) -> tuple[int, int]:
    wire = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    return os.open(path, os.O_RDONLY), wire


def answers(llama_mcp: LlamaMCP, asked: Iterable[Any], through: Path | None = None) -> list[bytes]:
    """Ask one after the other and return what was answered; a notification has no answer."""
    with started(llama_mcp, through) as process:
        count, said = 0, []
        for message in asked:
            process.tell(message)
            count += isinstance(message, bytes) or "id" in message
            said = process.lines(count)
        assert process.end() == 0
        return said
