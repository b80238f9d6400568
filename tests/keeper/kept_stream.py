"""A llama-server under a keeper, the readers of its streams as programs, and what is kept."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llama_mcp.keeper import run_dir
from tests.fake_llama_server.running import free_port
from tests.keeper.kept_run import KeptRun
from tests.keeper.stream_reader_program import HEADERS
from tests.support.processes import until


class StreamingRun:
    """A kept run whose program is a llama-server."""

    def __init__(self, run: KeptRun, command: list[str], **launch: Any) -> None:
        self.run = run
        self.port = free_port()
        address = ["--host", "127.0.0.1", "--port", str(self.port)]
        run.start("", argv=[*command, *address], port=self.port, **launch)

    async def until_ready(self) -> None:
        await until(lambda: self._status("/health") == 200, "llama-server is ready")

    @contextmanager
    def reader(self, stream_id: str, task: str, body: Any = None) -> Iterator["Reader"]:
        program = [sys.executable, "-m", "tests.keeper.stream_reader_program"]
        arguments = [str(self.run.folder), str(self.port), stream_id, task, json.dumps(body)]
        checkout = Path(__file__).parents[2]
        with subprocess.Popen(
            [*program, *arguments], stdout=subprocess.PIPE, cwd=checkout
        ) as process:
            try:
                yield Reader(process)
            finally:
                process.kill()

    async def begin_and_lose(self, stream_id: str, body: Any) -> bytes:
        """Let a reader be killed after the first token; return what it has read."""
        with self.reader(stream_id, "begin", body) as reader:
            reader.until_it_says("began")
        return self.read_by(stream_id)

    def read_by(self, stream_id: str) -> bytes:
        """Return what the stream's readers have read."""
        return (self.run.folder / f"{stream_id}.read").read_bytes()

    def kept(self, stream_id: str) -> bytes:
        """Return what the keeper has of the body."""
        return b"".join(path.read_bytes() for path in self._files(stream_id, "*.body"))

    def end_of(self, stream_id: str) -> dict[str, Any]:
        """Return the keeper's last word."""
        return run_dir.read_whole(self.path(stream_id, run_dir.STREAM_END)) or {}

    async def until_ended(self, stream_id: str) -> tuple[str, bool]:
        """Return why the keeper keeps it no longer, and whether it is whole."""
        await until(lambda: bool(self.end_of(stream_id)), "the keeper says how the stream ended")
        return self.end_of(stream_id)["why"], self.end_of(stream_id)["is_done"]

    async def until_text(self, stream_id: str, text: str) -> None:
        """Wait until the reader and the keeper together have that much of the reply."""
        read = self.read_by(stream_id)
        await until(lambda: text_of(read + self.kept(stream_id)) == text, f"{text!r} is kept")

    async def until_caught_up(self, stream_id: str) -> None:
        """Wait until the keeper has all that llama-server has sent."""
        read = len(self.read_by(stream_id))
        await until(
            lambda: read + len(self.kept(stream_id)) == self.total_bytes(stream_id) > read,
            "the keeper has all that was sent",
        )

    def total_bytes(self, stream_id: str) -> int:
        answer = self.ask("POST", "/v1/streams/lookup", {"conversation_ids": [stream_id]})
        (found,) = json.loads(answer)
        return int(found["total_bytes"])

    def whole(self, stream_id: str) -> bytes:
        """Return the whole body, as llama-server has it once it is done."""
        return self.ask("GET", f"/v1/stream?conv_id={stream_id}&from=0")

    def path(self, stream_id: str, ending: str) -> str:
        return run_dir.stream_file(str(self.run.folder), stream_id, ending)

    def files_of(self, stream_id: str) -> set[str]:
        return {path.name.removeprefix(stream_id) for path in self._files(stream_id, "*")}

    def ask(self, method: str, path: str, body: Any = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, json.dumps(body) if body else None, HEADERS)
            return connection.getresponse().read()
        finally:
            connection.close()

    def _status(self, path: str) -> int:
        try:
            return 200 if b'"ok"' in self.ask("GET", path) else 0
        except OSError:
            return 0

    def _files(self, stream_id: str, pattern: str) -> list[Path]:
        return list((self.run.folder / run_dir.STREAMS).glob(f"{stream_id}.{pattern}"))


class Reader:
    """A reader that runs."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process

    def until_it_says(self, word: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == word.encode():
                return
        raise AssertionError(f"the reader ended and never said {word}")


def text_of(body: bytes) -> str:
    """Return the reply that a body carries, as far as its events are whole."""
    body = body[: body.rfind(b"\n\n") + 2]
    events = [line.removeprefix(b"data: ") for line in body.splitlines() if line[:5] == b"data:"]
    chunks = [json.loads(event) for event in events if event != b"[DONE]"]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)
