"""Real RPC workers (ggml-rpc-server of llama.cpp) on this machine: frozen, thawed, killed, back."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio.to_thread
import psutil

from llama_mcp.llama_server.workers.probing import look_at
from tests.support.processes import until

PROGRAM = "ggml-rpc-server"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Worker:
    """A worker on a port of its own."""

    llama_cpp: Path
    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    inside: Sequence[str] = ()
    """What its command begins with: of where it runs."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    async def start(self) -> None:
        """Start it, and wait until it listens; it is not looked at, which a test may want to do."""
        self._spawn()
        await until(self._listens, f"the worker listens on {self.address}")

    async def answers(self) -> bool:
        looks = await anyio.to_thread.run_sync(look_at, [self.address], 5.0, 0.0)
        return looks[0].problem is None

    def freeze(self) -> None:
        self._signal(signal.Signals["SIGSTOP"])

    def thaw(self) -> None:
        self._signal(signal.Signals["SIGCONT"])

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _spawn(self) -> None:
        program = str(self.llama_cpp / PROGRAM)
        command = [*self.inside, program, "-H", self.host, "-p", str(self.port)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "the worker has ended"
        table = Path(f"/proc/{self.process.pid}/net/tcp")  # of its network namespace
        if table.exists():
            rows = [row.split() for row in table.read_text().splitlines()[1:]]
            return any(row[1].endswith(f":{self.port:04X}") and row[3] == "0A" for row in rows)
        found = psutil.Process(self.process.pid).net_connections(kind="tcp")
        return any(each.status == psutil.CONN_LISTEN for each in found)


@contextmanager
def workers_of(llama_cpp: Path, count: int) -> Iterator[list[Worker]]:
    """Give so many workers that are not started yet; all are ended afterwards."""
    workers = [Worker(llama_cpp) for _ in range(count)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.end()
