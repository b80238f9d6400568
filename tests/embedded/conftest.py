"""The embedded engine as others meet it: a process with a command line, and HTTP."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.embedded import presence
from llama_mcp.keeper import spawning
from tests.support.tiny_model import write_tiny_model

PATIENCE = 120.0  # a bound, not an expectation
LISTENING = "srv  llama_server: listening on "


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: dict[str, str]

    @property
    def data(self) -> Any:
        return json.loads(self.text)


@dataclass
class Engine:
    """A running engine, and what it has said on stderr so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def read_stderr(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def wait_for_line(self, text: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for line in list(self.lines):
                if text in line:
                    return line
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise AssertionError(f"never said {text!r}: " + "\n".join(self.lines))

    @property
    def address(self) -> str:
        return self.wait_for_line(LISTENING).partition(LISTENING)[2]

    def ask(self, path: str, body: object = None, **headers: str) -> Answer:
        request = urllib.request.Request(self.address + path, headers=headers)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return Answer(answer.status, answer.read().decode(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(), dict(error.headers))

    def chat(self, **body: object) -> Answer:
        messages = [{"role": "user", "content": "hello"}]
        return self.ask("/v1/chat/completions", {"messages": messages, "max_tokens": 8, **body})

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture
def start(tiny_model: Path) -> Iterator[Callable[..., Engine]]:
    """Start an engine with the tiny model on a free port; more arguments may follow."""
    engines: list[tuple[Engine, threading.Thread]] = []

    def start_engine(
        *arguments: str, context_size: int | None = 1024, **environment: str
    ) -> Engine:
        command = [
            *spawning.program_command(presence.MODULE),
            "-m",
            str(tiny_model),
            "--port",
            "0",
            "-t",
            "1",
        ]
        if context_size:
            command += ["-c", str(context_size)]
        process = subprocess.Popen(
            [*command, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **environment},
        )
        engine = Engine(process)
        reader = threading.Thread(target=engine.read_stderr)
        reader.start()
        engines.append((engine, reader))
        return engine

    yield start_engine
    for engine, reader in engines:
        engine.process.kill()
        engine.process.wait()
        reader.join()
        assert engine.process.stderr
        engine.process.stderr.close()


@pytest.fixture
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the engine to its end."""

    def run_engine(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*spawning.program_command(presence.MODULE), *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    return run_engine


@pytest.fixture(scope="session")
def imported_modules() -> Callable[..., set[str]]:
    """The modules that the program has imported when it ends."""

    def modules(*arguments: str) -> set[str]:
        code = (
            "import sys; from llama_mcp.embedded.llama_server import main; main(sys.argv[1:]); "
            "print('\\n'.join(['', 'MODULES', *sys.modules]))"
        )
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        return set(done.stdout.partition("MODULES\n")[2].split())

    return modules
