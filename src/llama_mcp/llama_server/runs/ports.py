"""TCP ports of this machine: whether one is free, and who holds it."""

import random
import socket
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil

from llama_mcp.llama_server.engine.command_line import HOST
from llama_mcp.llama_server.runs import windows_listeners

CONNECT_SECONDS = 1.0
# Linux gives 32768 and above to outgoing connections, Windows and macOS 49152 and above.
NEVER_OUTGOING = (20_000, 32_768)
TRIES = 20


@dataclass(frozen=True, slots=True)
class PortOwner:
    """Who listens on a port, as far as the system tells."""

    is_ours: bool | None
    """Whether it is one of the run's own processes; None when the system does not say."""
    who: str
    """In words: name, pid and command."""


def is_free(port: int) -> bool:
    """Tell whether llama-server could listen on the port of 127.0.0.1."""
    return why_unusable(port) is None


def why_unusable(port: int) -> OSError | None:
    """Return why llama-server could not listen on the port of 127.0.0.1; None when it could."""
    with _listening_socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error
    return None


def find_free() -> int:
    """Return a port that nobody listens on at this moment.

    One that the system hands to no outgoing connection: such a connection, of whatever program,
    would take it before llama-server does.
    """
    for port in random.sample(range(*NEVER_OUTGOING), TRIES):
        if is_free(port):
            return port
    with _listening_socket() as probe:
        probe.bind((HOST, 0))
        any_port: int = probe.getsockname()[1]
        return any_port


def owner_of(port: int, pids: Collection[int]) -> PortOwner:
    """Say who listens on a port, and whether that is one of these processes."""
    is_ours = _is_held_by(port, pids)
    return PortOwner(is_ours, "llama-server itself" if is_ours else describe_holder(port))


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


def _is_held_by(port: int, pids: Collection[int]) -> bool | None:
    if sys.platform == "win32":  # the table may name no owner
        holder = _listener(port)
        return None if holder is None else not {holder, *_above(holder)}.isdisjoint(pids)
    answers = {_holds(pid, port) for pid in pids}
    return True if True in answers else None if None in answers else False


def listeners_among(pids: Collection[int], port: int) -> list[int]:
    """Return those of these processes that listen on a port, as far as the system tells."""
    if sys.platform == "win32":
        return [pid for pid in pids if pid == _listener(port)]
    return [pid for pid in pids if _holds(pid, port)]


def is_held(port: int) -> bool:
    """Tell whether somebody listens on the port, as far as the system tells."""
    return _listener(port) is not None or not is_free(port)


def addresses_of(pids: Collection[int]) -> list[tuple[str, int]]:
    """Return the TCP addresses and ports on which these processes listen."""
    found = []
    for pid in pids:
        with suppress(psutil.Error):
            found += psutil.Process(pid).net_connections(kind="tcp")
    listening = (each.laddr for each in found if each.status == psutil.CONN_LISTEN)
    return sorted({(address.ip, address.port) for address in listening})


def why_unreachable(port: int) -> OSError | None:
    """Return why nobody can connect to the port of 127.0.0.1; None when one can."""
    try:
        socket.create_connection((HOST, port), CONNECT_SECONDS).close()
    except OSError as error:
        return error
    return None


def _above(pid: int) -> list[int]:
    try:
        return [parent.pid for parent in psutil.Process(pid).parents()]
    except psutil.Error:
        return []


def _holds(pid: int, port: int) -> bool | None:
    try:
        connections = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    except psutil.Error:
        return False
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
