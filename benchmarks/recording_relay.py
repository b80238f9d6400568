"""A llama-server that writes down what it is asked: the real one behind a relay.

What llama-mcp has asked while it worked on files is what a script by hand asks again.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plain_http import HOST, free_port

NAME = "llama-server"
_READ_BYTES = 1 << 16
_ASKED = b"POST /v1/chat/completions "


def write_relay(folder: Path, engine: Sequence[str]) -> Path:
    """Write the program and return its path.

    Args:
        folder: where; `asked.jsonl` in it is what was asked, a body a line.
        engine: the command of the real llama-server.
    """
    folder.mkdir()
    program = folder / NAME
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from recording_relay import relay\n"
        f"relay({list(engine)!r}, {str(_record(folder))!r})\n"
    )
    program.chmod(0o755)
    return program


def asked_of(program: Path) -> list[dict[str, Any]]:
    """Return the requests for replies that came to the relay so far, as they came."""
    return [json.loads(line) for line in _record(program.parent).read_text().splitlines()]


def _record(folder: Path) -> Path:
    return folder / "asked.jsonl"


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
        recorder = _Recorder(Path(record))
        for way in ((client, server, recorder.take), (server, client, lambda _: None)):
            threading.Thread(target=_pass_on, args=way, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, look: Any) -> None:
    try:
        while data := source.recv(_READ_BYTES):
            look(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            end.close()


class _Recorder:
    """The requests on one connection; each has its length in its head."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._pending = b""

    def take(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            head = self._pending[:end].lower()
            _, is_there, rest = head.partition(b"\r\ncontent-length:")
            whole = end + 4 + (int(rest.split(b"\r\n")[0]) if is_there else 0)
            if len(self._pending) < whole:
                return
            if self._pending.startswith(_ASKED):
                with self._record.open("ab") as file:
                    file.write(json.dumps(json.loads(self._pending[end + 4 : whole])).encode())
                    file.write(b"\n")
            self._pending = self._pending[whole:]
