"""The dashboard and its page: a process that serves it, and a loop that asks as the page does."""

import subprocess
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil

from measuring.http_client import HttpClient, HttpServer
from measuring.processes import wait_for_end
from measuring.scene import LLAMA_MCP

LOOK_SECONDS = 1.0


@contextmanager
def dashboard_server(folder: Path, environment: Mapping[str, str]) -> Iterator[HttpServer]:
    """Serve the dashboard on a free port until the context ends; its token is the page's key."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [*LLAMA_MCP, "dashboard", "--no-browser"]
    with subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        shown_at = urlsplit(process.stdout.readline().decode().strip())
        token_file = folder / "key"
        token_file.touch(0o600)
        token_file.write_text(parse_qs(shown_at.fragment)["key"][0], encoding="utf-8")
        try:
            yield HttpServer(process, shown_at.port or 0, token_file)
        finally:
            process.terminate()
            wait_for_end(process)


class Page:
    """The page of a dashboard, as it asks its server."""

    def __init__(self, server: HttpServer) -> None:
        self.process = psutil.Process(server.pid)
        self.looks = 0
        self._client = HttpClient(server)
        self._since: dict[str, str] = {}

    def look(self) -> None:
        """Ask what goes on, and what came since the last look."""
        seen = self._client.call("dashboard_snapshot", **self._since)
        self._since = {"since_utc": seen["at_utc"]}
        self.looks += 1

    @contextmanager
    def open(self) -> Iterator[None]:
        """Look, and again a second after each answer."""
        is_closed = threading.Event()

        def go_on() -> None:
            self.look()
            while not is_closed.wait(LOOK_SECONDS):
                self.look()

        with ThreadPoolExecutor(max_workers=1) as threads:
            looking = threads.submit(go_on)
            yield
            is_closed.set()
            looking.result()
