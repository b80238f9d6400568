"""TCP ports of this machine: whether one is free, and who holds it."""

import socket
import sys
from typing import Any

import psutil

from llama_mcp.llama_server.engine.command_line import HOST
from llama_mcp.llama_server.runs import windows_listeners


def is_free(port: int) -> bool:
    """Tell whether llama-server could listen on the port of 127.0.0.1."""
    with _listening_socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def find_free() -> int:
    """Return a port that nobody listens on at this moment."""
    with _listening_socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def describe_holder(port: int) -> str:
    """Say who listens on the port: name, pid and command, as far as the system tells us."""
    pid = _listener(port)
    if pid is None:
        return "another process (the system does not tell which)"
    try:
        process = psutil.Process(pid)
        name, command = process.name(), " ".join(process.cmdline())
    except psutil.Error:
        return f"the process {pid}"
    kind = "a llama-server that is not ours" if "llama-server" in command else "a process"
    return f"{kind}: {name} (pid {pid}; {command[:200]})"


def is_held_by(port: int, pid: int) -> bool | None:
    """Tell whether that process, or one below it, listens on the port.

    Below it, because what was spawned may be a script that starts llama-server.

    Returns:
        None when the system does not say.
    """
    try:
        if sys.platform == "win32":  # the table may name no owner
            holder = _listener(port)
            return None if holder is None else pid in (holder, *_above(holder))
        process = psutil.Process(pid)
        return _holds(process, port) or any(
            _holds(below, port) for below in process.children(recursive=True)
        )
    except psutil.Error:
        return None


def _above(pid: int) -> list[int]:
    return [parent.pid for parent in psutil.Process(pid).parents()]


def _holds(process: psutil.Process, port: int) -> bool:
    connections = process.net_connections(kind="tcp")
    return any(_listens_on(connection, port) for connection in connections)


def _listener(port: int) -> int | None:
    """Return the pid of the process that listens; None when the system names none."""
    if sys.platform == "win32":
        return windows_listeners.listening_pid(port)
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return None
    pids = (connection.pid for connection in connections if _listens_on(connection, port))
    return next(filter(None, pids), None)


def _listens_on(connection: Any, port: int) -> bool:
    # laddr is empty for a socket that is not bound, which a listening one always is.
    return bool(connection.status == psutil.CONN_LISTEN and connection.laddr.port == port)


def _listening_socket() -> socket.socket:
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform == "win32":
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        # As llama-server does (server-http.cpp): a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return probe
