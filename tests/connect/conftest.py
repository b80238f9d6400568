"""A plain server over HTTP, which can be killed and started again, and clients behind a bridge."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.client_process import COMMAND, LlamaMCP

PROGRAM = Path(__file__).with_name("plain_server_program.py")


@dataclass
class PlainServer:
    """One server, on a port that it keeps when it is started again."""

    port: int
    marks: Path
    process: subprocess.Popen[str] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, str(PROGRAM), str(self.port), str(self.marks)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "serves\n"

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PlainServer]:
    marks = tmp_path / "marks"
    marks.mkdir()
    server = PlainServer(free_port(), marks)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def connected(server: PlainServer, tmp_path: Path) -> LlamaMCP:
    """How a client starts the bridge to the server."""
    return connecting(server.url, tmp_path)


def connecting(url: str, folder: Path, *more: str, **variables: str) -> LlamaMCP:
    return LlamaMCP(folder / "home", variables, (COMMAND, "connect", url, *more))
