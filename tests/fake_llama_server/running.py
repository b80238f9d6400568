"""Running the stand-in, or a real llama-server, for a test, and talking to it byte by byte."""

import http.client
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from llama_mcp.llama_server.runs import ports

PATIENCE_SECONDS = 120.0  # for anything that could hang
CHAT = "/v1/chat/completions"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool  # False: the connection broke off

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The JSON of every `data:` line; [DONE] as it is."""
        lines = self.body.decode("utf-8", "replace").splitlines()
        data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        return [item if item == "[DONE]" else json.loads(item) for item in data]

    @property
    def text(self) -> str:
        return "".join(delta.get("content") or "" for delta in self.deltas)

    @property
    def deltas(self) -> list[dict[str, Any]]:
        chunks = [event for event in self.events if event != "[DONE]"]
        return [choice["delta"] for event in chunks for choice in event.get("choices", ())]


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int
    stderr: Path

    @property
    def log(self) -> str:
        return self.stderr.read_text("utf-8")

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def get(self, path: str) -> Answer:
        with closing(self.connect()) as connection:
            return call(connection, "GET", path)

    def post(self, body: Any, path: str = CHAT, **headers: str) -> Answer:
        """Send it; a header's underscores become hyphens."""
        with closing(self.connect()) as connection:
            return call(connection, "POST", path, body, **headers)

    def health(self) -> int | None:
        try:
            return self.get("/health").status
        except OSError:
            return None

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)


def call(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any = None,
    **headers: str,
) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, None if body is None else json.dumps(body), names)
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    try:
        return Answer(response.status, headers, response.read(), whole=True)
    except http.client.IncompleteRead as error:
        return Answer(response.status, headers, error.partial, whole=False)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def free_port() -> int:
    """Return a port that no outgoing connection of another test takes before it is listened on."""
    return ports.find_free()


@contextmanager
def running(executable: Path, *flags: str, model: str = "m.gguf") -> Iterator[Server]:
    port = free_port()
    command = [str(executable), "-m", model, "--host", "127.0.0.1", "--port", str(port), *flags]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "stderr"
        with (
            log.open("wb") as stderr,
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr) as process,
        ):
            try:
                yield Server(process, port, log)
            finally:
                _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill it, and what a batch file has started on Windows, where none dies with another."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
    process.kill()


@contextmanager
def ready(executable: Path, *flags: str, model: str = "m.gguf") -> Iterator[Server]:
    with running(executable, *flags, model=model) as server:
        until(lambda: server.health() == 200)
        yield server


def run_once(executable: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(executable), *flags],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
