"""The embedded engine: llama-server's command line, served by xllamacpp.

Start it with `python -m llama_mcp.embedded.llama_server`. Its flags, output, HTTP API
and exit codes are llama-server's, so a caller cannot tell it from the original.
"""

import faulthandler
import io
import os
import platform
import signal
import socket
import stat
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any

from llama_mcp.embedded.command_line import CommandLineError, Setting, help_text, parse, repeated
from llama_mcp.embedded.parameters import start_like_llama_server

_STOP_SIGNALS = [signal.SIGTERM, signal.SIGINT]
if sys.platform == "win32":  # Ctrl-Break, which alone reaches a process group; a closed console too
    _STOP_SIGNALS.append(signal.SIGBREAK)
_STOP_SECONDS = 10  # longer than one batch takes; then the process ends all the same, with 1
_MAIN_LOOP_SECONDS = 0.25  # ample: without, 5 of 150 stops right after the start were not heard


def main(arguments: Sequence[str] | None = None) -> int:
    """Do as llama-server does and return its exit code."""
    if sys.platform == "win32" and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(encoding="utf-8")  # as llama.cpp's own lines, whatever the code page
    given = sys.argv[1:] if arguments is None else arguments
    try:
        settings = parse(given, os.environ)  # noqa: TID251 - a program of its own
    except CommandLineError as error:
        return _fail(str(error))
    names = {setting.flag.names[0] for setting in settings}
    if "--version" in names:
        return _print_version()
    if "--list-devices" in names:
        return _print_devices()
    if "-h" in names:
        print(help_text())
        return 0
    for argument in repeated(settings):
        _say(f"W DEPRECATED: argument '{argument}' specified multiple times")
    return _serve(settings)


def _print_version() -> int:
    try:
        engine = version("xllamacpp")
    except PackageNotFoundError:
        return _fail("error: xllamacpp is not installed")
    _say(f"version: {engine} (xllamacpp)")
    system = f"{platform.system()} {platform.machine()}"
    _say(f"built with Python {platform.python_version()} for {system}")
    return 0


def _print_devices() -> int:
    xllamacpp = _engine()
    if xllamacpp is None:
        return 1
    devices = [
        f"{device['name']}: {device['description']} ({_mebibytes(device['memory_total'])}, "
        f"{_mebibytes(device['memory_free'])} free)"
        for device in xllamacpp.get_device_info()
        if int(device["type"].value) != 0  # the CPU
    ]
    print("Available devices:", *(devices or ["(none)"]), sep="\n  ")
    return 0


def _mebibytes(size: int) -> str:
    return f"{size // 2**20} MiB"


def _engine() -> Any:
    """Return xllamacpp; None, and a word on stderr, when it cannot be imported."""
    if sys.platform == "win32":
        os.add_dll_directory(sys.prefix)  # where msvc-runtime puts the C++ runtime that it needs
    try:
        import xllamacpp
    except ImportError as error:
        _fail(f"error: xllamacpp cannot be imported: {error}")
        return None
    return xllamacpp


def _serve(settings: Sequence[Setting]) -> int:
    xllamacpp = _engine()
    if xllamacpp is None:
        return 1
    params = xllamacpp.CommonParams()
    start_like_llama_server(params)
    for setting in settings:
        setting.put(params)
    if not params.model.path:
        return _fail("error: --model is required: the embedded engine has no router mode")
    server = _load(xllamacpp, params)
    if server is None:
        return _fail(_why(params.model.path))
    loaded = time.monotonic()
    _wait_for_a_signal(server.listening_address)
    if sys.platform == "win32":
        # The system lists no sockets of a process, which clients may hold open; it closes them all.
        os._exit(0)
    # An engine whose main loop has yet to begin would never hear that it is to end.
    time.sleep(max(0.0, loaded + _MAIN_LOOP_SECONDS - time.monotonic()))
    _disconnect_clients(server.listening_address, params.hostnames)
    del server  # ends the engine; the last reference there is
    return 0


def _load(xllamacpp: Any, params: Any) -> Any:
    # Loading blocks Python's own handlers; the system's default ends the process at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return xllamacpp.Server(params)
    except (RuntimeError, ValueError):
        return None


def _why(model: str) -> str:
    if not Path(model).exists():
        return f"error: failed to load model, '{model}': no such file"
    return f"error: failed to serve model '{model}': llama.cpp gives the reason above"


def _wait_for_a_signal(address: str) -> None:
    wakeup = _watch_signals()
    _say(f"srv  llama_server: listening on {address}")
    wakeup.recv(1)
    _say("srv  llama_server: cleaning up before exit...")
    # The engine's destructor keeps Python from running: no handler could cut it short.
    faulthandler.dump_traceback_later(_STOP_SECONDS, exit=True)


def _watch_signals() -> socket.socket:
    """Have signals end the process: the first in order, the second at once.

    Returns:
        A socket that becomes readable with the first signal. Python's own handlers run in the
        main thread only, and llama.cpp's threads may be the ones that are interrupted.
    """
    received: list[int] = []

    def on_signal(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            _say("Received second interrupt, terminating immediately.")
            os._exit(1)

    readable, writable = socket.socketpair()  # Windows wakes up no pipe
    writable.setblocking(False)
    # Detached, so that it stays open for as long as the process lives.
    signal.set_wakeup_fd(writable.detach(), warn_on_full_buffer=False)
    for number in _STOP_SIGNALS:
        signal.signal(number, on_signal)
    return readable


def _disconnect_clients(address: str, hostnames: Sequence[str]) -> None:
    """Close what clients hold open: the engine would wait half a minute, or until they leave."""
    port = address.rsplit(":", 1)[-1]
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    for descriptor in map(int, os.listdir(folder)):
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                with socket.socket(fileno=os.dup(descriptor)) as connection:
                    if _is_client(connection, port, hostnames):
                        connection.shutdown(socket.SHUT_RDWR)


def _is_client(connection: socket.socket, port: str, hostnames: Sequence[str]) -> bool:
    if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return False
    ours = connection.getsockname()
    if sys.platform != "win32" and connection.family == socket.AF_UNIX:
        return ours in hostnames
    return str(ours[1]) == port


def _fail(complaint: str) -> int:
    _say(complaint)
    return 1


def _say(line: str) -> None:
    # print() writes the end of the line by itself, and llama.cpp's own log may come in between.
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
