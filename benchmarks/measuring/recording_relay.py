"""A llama-server that writes down what it is asked, and when: the real one behind a relay.

What llama-mcp has asked while it worked on files is what a script by hand asks again. When a
request came and its reply went tells what a client adds before and after. Moments are those of
time.perf_counter(), which is one clock for all processes.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring.plain_http import HOST, free_port

NAME = "llama-server"
_READ_BYTES = 1 << 16
_ASKED = b"POST /v1/chat/completions "
_HAS_TEXT = re.compile(rb'"content":\s*"[^"]')
_MOMENTS = "moments.txt"
_ASK, _TEXT, _PIECE = "ask", "text", "piece"


def write_relay(folder: Path, engine: Sequence[str]) -> Path:
    """Write the program and return its path.

    Args:
        folder: where; in it, `asked.jsonl` is what was asked, a body a line, and `moments.txt`
            when what came to the relay.
        engine: the command of the real llama-server.
    """
    folder.mkdir()
    program = folder / NAME
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from measuring.recording_relay import relay\n"
        f"relay({list(engine)!r}, {str(_record(folder))!r})\n"
    )
    program.chmod(0o755)
    return program


def asked_of(program: Path) -> list[dict[str, Any]]:
    """Return the requests for replies that came to the relay so far, as they came."""
    return [json.loads(line) for line in _record(program.parent).read_text().splitlines()]


def _record(folder: Path) -> Path:
    return folder / "asked.jsonl"


@dataclass(frozen=True)
class Moments:
    """When a request for a reply, its first text and its last bytes came to the relay."""

    asked: float
    first_text: float
    last: float


def moments_of(program: Path, since: float) -> Moments:
    """Return the moments of the one reply that was asked for since then; it is over."""
    lines = (program.parent / _MOMENTS).read_text().splitlines()
    parted = [(kind, float(moment)) for kind, moment in (line.split() for line in lines)]
    new = [(kind, moment) for kind, moment in parted if moment >= since]
    asked, text, piece = (
        [at for kind, at in new if kind == each] for each in (_ASK, _TEXT, _PIECE)
    )
    if len(asked) != 1 or not text:
        raise RuntimeError(f"{len(asked)} replies were asked for, {len(text)} pieces of text came")
    return Moments(asked[0], min(text), max([*text, *piece]))


def relay(engine: list[str], record: str) -> None:
    """Be the engine; between a client and its port everything is passed on as it is."""
    arguments = sys.argv[1:]
    if "--port" not in arguments:  # it is only asked what it can do
        os.execv(engine[0], [*engine, *arguments])
    place = arguments.index("--port") + 1
    port, inner = int(arguments[place]), free_port()
    arguments[place] = str(inner)
    process = subprocess.Popen([*engine, *arguments])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.terminate())
    with socket.create_server((HOST, port), backlog=64) as listener:
        threading.Thread(target=_accept, args=(listener, inner, record), daemon=True).start()
        sys.exit(process.wait())


def _accept(listener: socket.socket, inner: int, record: str) -> None:
    while True:
        client, _ = listener.accept()
        try:
            server = socket.create_connection((HOST, inner))
        except OSError:  # it does not listen yet
            client.close()
            continue
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        recorder = _Recorder(Path(record))
        for way in ((client, server, recorder.take), (server, client, recorder.take_reply)):
            threading.Thread(target=_pass_on, args=way, daemon=True).start()


def _pass_on(
    source: socket.socket, target: socket.socket, look: Callable[[bytes, float], None]
) -> None:
    try:
        while data := source.recv(_READ_BYTES):
            came_at = time.perf_counter()
            target.sendall(data)
            look(data, came_at)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            end.close()


class _Recorder:
    """The requests for replies on one connection, each with its length in its head, and replies."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._pending = b""
        self._has_asked = False

    def take(self, data: bytes, came_at: float) -> None:
        """Take a piece of what is asked."""
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            head = self._pending[:end].lower()
            _, is_there, rest = head.partition(b"\r\ncontent-length:")
            whole = end + 4 + (int(rest.split(b"\r\n")[0]) if is_there else 0)
            if len(self._pending) < whole:
                return
            self._has_asked = self._pending.startswith(_ASKED)
            if self._has_asked:
                self._note(_ASK, came_at)
                with self._record.open("ab") as file:
                    file.write(json.dumps(json.loads(self._pending[end + 4 : whole])).encode())
                    file.write(b"\n")
            self._pending = self._pending[whole:]

    def take_reply(self, data: bytes, came_at: float) -> None:
        """Take a piece of what is answered."""
        if self._has_asked:
            self._note(_TEXT if _HAS_TEXT.search(data) else _PIECE, came_at)

    def _note(self, kind: str, moment: float) -> None:
        with (self._record.parent / _MOMENTS).open("a") as file:
            file.write(f"{kind} {moment!r}\n")
