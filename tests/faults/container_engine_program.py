"""A container engine in the small: the server of a wrapper is no process below that wrapper.

    python container_engine_program.py serve SOCKET     the daemon, which starts what it is told to
    python container_engine_program.py run SOCKET ARGV  has it start ARGV, and waits for its end

`run` passes SIGTERM on, as `docker run` does; when `run` is killed, the server lives on.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import IO, NoReturn

TERMINATE = b"t"


def serve(path: str) -> NoReturn:
    if sys.platform == "win32":
        raise NotImplementedError
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("up", flush=True)
        while True:
            connection = listener.accept()[0]
            threading.Thread(target=_start, args=(connection,), daemon=True).start()


def _start(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as stream:
        argv = json.loads(stream.readline())
        environment = {"PATH": os.environ["PATH"]}
        process = subprocess.Popen(
            argv,
            env=environment,
            stdout=connection.fileno(),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        threading.Thread(target=_heed, args=(stream, process), daemon=True).start()
        process.wait()
        connection.shutdown(socket.SHUT_RDWR)


def _heed(stream: IO[bytes], process: "subprocess.Popen[bytes]") -> None:
    while stream.read(1) == TERMINATE:
        process.terminate()


def run(path: str, argv: list[str]) -> None:
    if sys.platform == "win32":
        raise NotImplementedError
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        signal.signal(signal.SIGTERM, lambda *_: connection.sendall(TERMINATE))
        connection.sendall(json.dumps(argv).encode() + b"\n")
        while output := connection.recv(4096):
            sys.stdout.buffer.write(output)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    verb, path, *argv = sys.argv[1:]
    run(path, argv) if verb == "run" else serve(path)
