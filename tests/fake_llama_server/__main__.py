"""The program: command line, port, loading, serving, signals; `fake.json` lies beside it."""

import os
import signal
import socket
import sys
import threading
import time
from typing import NoReturn

from .chat import die
from .command_line import Launch, parse
from .engine import Engine
from .faults import HOLD_POLL_SECONDS, Faults, load_faults
from .http import Connection, GoneError
from .log import chatter, log, raw_line
from .routes import record, serve


def main(executable: str) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    folder = os.path.dirname(os.path.abspath(executable))
    faults = load_faults(folder)
    if faults.exit_at_once is not None:
        _say(faults.log_lines)
        sys.exit(faults.exit_at_once)
    launch = parse(sys.argv[1:], faults.era)
    _say(faults.log_lines)
    record(
        folder,
        "launches.jsonl",
        {"argv": sys.argv[1:], "pid": os.getpid(), "environment": sorted(os.environ)},
    )
    run(launch, faults, folder)


def run(launch: Launch, faults: Faults, folder: str) -> NoReturn:
    if faults.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    log("llama_server", "initializing ...")
    engine = Engine(launch, folder)
    listener = bind(launch)
    threading.Thread(target=accept, args=(listener, engine), daemon=True).start()
    load(launch, faults, folder)
    install_handlers(faults, engine)
    engine.ready.set()
    url = "http://{}:{}".format(*listener.getsockname()[:2])
    log("llama_server", "model loaded")
    log("llama_server", f"listening on {url}")
    chatter(faults.chatty)
    if faults.exit_after_ready_seconds is not None:
        time.sleep(faults.exit_after_ready_seconds)
        die(None, 1)
    wait_forever()


def bind(launch: Launch) -> socket.socket:
    family = socket.AF_INET6 if ":" in launch.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((launch.host, launch.port))
    except OSError:
        where = f"hostname: {launch.host}, port: {launch.port}"
        log("start", f"couldn't bind HTTP server socket, {where}", level="E")
        log("llama_server", "exiting due to HTTP server error", level="E")
        sys.exit(1)
    listener.listen(128)
    return listener


def accept(listener: socket.socket, engine: Engine) -> None:
    while True:
        connection = Connection(listener.accept()[0])
        if load_faults(engine.folder).reset_at_stage == "accept":
            _reset(connection)
        else:
            threading.Thread(target=serve, args=(connection, engine), daemon=True).start()


def load(launch: Launch, faults: Faults, folder: str) -> None:
    """No handler is installed yet: a SIGTERM now ends the process at once, as the real one's."""
    log("load_model", f"loading model '{launch.model}'")
    if faults.load_forever:
        wait_forever()
    while faults.load_held and load_faults(folder).load_held:
        time.sleep(HOLD_POLL_SECONDS)
    time.sleep(faults.load_seconds)
    if faults.signal_during_load is not None or faults.exit_during_load is not None:
        die(faults.signal_during_load, faults.exit_during_load or 0)
    context = f"n_slots = {launch.slots}, n_ctx_slot = {launch.slot_context}"
    log("load_model", f"initializing, {context}, kv_unified = 'false'")


def install_handlers(faults: Faults, engine: Engine) -> None:
    """The first signal waits for resumable streams that are under way; the second does not."""
    is_leaving = threading.Event()

    def leave(*_: object) -> None:
        log("operator()", "operator(): cleaning up before exit...")
        if is_leaving.is_set() or not engine.streams.has_unfinished():
            os._exit(int(is_leaving.is_set()))
        is_leaving.set()
        threading.Thread(target=leave_without_streams, args=(engine,), daemon=True).start()

    signal.signal(signal.SIGINT, leave)
    if not faults.ignore_sigterm:
        signal.signal(signal.SIGTERM, leave)


def leave_without_streams(engine: Engine) -> NoReturn:
    while engine.streams.has_unfinished():
        time.sleep(HOLD_POLL_SECONDS)
    os._exit(0)


def wait_forever() -> NoReturn:
    while True:
        time.sleep(3600)  # signals are handled meanwhile, on every platform


def _reset(connection: Connection) -> None:
    try:
        connection.reset()
    except GoneError:
        return


def _say(lines: tuple[str, ...]) -> None:
    for line in lines:
        raw_line(line)


if __name__ == "__main__":
    main(sys.argv[0])
