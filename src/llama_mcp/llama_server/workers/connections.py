"""What the system knows of a llama-server's own connections to its RPC workers. Blocking.

A worker that serves a llama-server answers nobody else, so whether it stands still is told by that
connection alone. Linux tells when something was last sent and received on it (inet_diag, struct
tcp_info of linux/tcp.h). While llama-server stands still, it waits for the worker to which it has
sent something last, and from which nothing has come since (seen with b11434: it waits for one at a
time). While it goes on that says nothing: not every command has an answer.
"""

import socket
import struct
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from llama_mcp.llama_server.workers.wanted import host_and_port

_Ends = tuple[int, int]

# linux/sock_diag.h, linux/inet_diag.h and linux/netlink.h
_SOCK_DIAG, _BY_FAMILY, _REQUEST_ALL, _DONE = 4, 20, 0x301, 3
_INFO = 2
_HEADER, _MESSAGE_BYTES, _PORTS_PLACE = "=IHHII", 72, 4
_ESTABLISHED = 1 << 1
# Bytes into tcp_info: of u32 in ms but for the round trip, which is in us.
_UNACKED, _LAST_SENT, _LAST_RECEIVED, _LAST_ACKNOWLEDGED = 24, 44, 52, 56
_LEAST_ROUND_TRIP = 148
_BUFFER_BYTES = 1 << 16
# A large part of a prompt keeps a worker busy for so long.
OWING_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class WorkerConnection:
    """A connection of a llama-server to a worker.

    Attributes:
        round_trip_ms: The least of the last minutes; None where the system does not tell.
        unanswered_seconds: How long an answer is owed; None when none is, or nobody knows.
        is_acknowledged: The worker's machine has got what was sent.
    """

    round_trip_ms: float | None = None
    unanswered_seconds: float | None = None
    is_acknowledged: bool = True


def connections_to(addresses: Sequence[str], pids: Collection[int]) -> dict[str, WorkerConnection]:
    """Return the connections that processes have to workers, by the worker's address.

    Args:
        addresses: of the workers.
        pids: the processes of a llama-server.
    """
    ends = {address: ports for address in addresses if (ports := _ends_of(address, pids))}
    if not ends:
        return {}
    told = _told_by_linux() if sys.platform == "linux" else {}
    return {address: told.get(ports, WorkerConnection()) for address, ports in ends.items()}


def owed_by(connections: Mapping[str, WorkerConnection]) -> tuple[str, str] | None:
    """Return for which worker a llama-server waits that stands still, and what is seen of it.

    Returns:
        Its address and a clause; None when that is not established.
    """
    owing = [
        (connection.is_acknowledged, seconds, address)
        for address, connection in connections.items()
        if (seconds := connection.unanswered_seconds) is not None
    ]
    is_acknowledged, seconds, address = min(owing, default=(True, 0.0, ""))
    if seconds < OWING_SECONDS:
        return None
    if is_acknowledged:
        said = f"it was asked {seconds:.0f} s ago and has not answered, although its machine"
        return address, f"{said} takes what is sent"
    return address, f"what is sent to it has not arrived there for {seconds:.0f} s"


def _ends_of(address: str, pids: Collection[int]) -> _Ends | None:
    """Return the ports of both ends of the connection to a worker."""
    try:
        host, port = host_and_port(address)
        hosts = {found[4][0] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, ValueError):
        return None
    for pid in pids:
        with suppress(psutil.Error, OSError):
            for connection in psutil.Process(pid).net_connections(kind="tcp"):
                far = connection.raddr
                is_up = connection.status == psutil.CONN_ESTABLISHED
                if is_up and far and far.port == port and _plain(far.ip) in hosts:
                    return connection.laddr.port, port
    return None


def _plain(ip: str) -> str:
    return ip.removeprefix("::ffff:")


def _told_by_linux() -> dict[_Ends, WorkerConnection]:
    """Return what Linux tells of each connection of this machine; nothing where it may not."""
    told: dict[_Ends, WorkerConnection] = {}
    with suppress(OSError, struct.error):
        for family in (socket.AF_INET, socket.AF_INET6):
            told |= dict(_of_family(family))
    return told


def _of_family(family: int) -> Iterator[tuple[_Ends, WorkerConnection]]:
    if sys.platform != "linux":
        return
    body = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, _ESTABLISHED)
    body += bytes(48)  # any address
    header = struct.pack(
        _HEADER, struct.calcsize(_HEADER) + len(body), _BY_FAMILY, _REQUEST_ALL, 1, 0
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.settimeout(1.0)
        kernel.send(header + body)
        while answer := kernel.recv(_BUFFER_BYTES):
            while answer:
                length, kind = struct.unpack_from("=IH", answer)
                if kind != _BY_FAMILY:
                    return
                yield from _parsed(answer[struct.calcsize(_HEADER) : length])
                answer = answer[(length + 3) & ~3 :]


def _parsed(message: bytes) -> Iterator[tuple[_Ends, WorkerConnection]]:
    near, far = struct.unpack_from("!HH", message, _PORTS_PLACE)
    rest = message[_MESSAGE_BYTES:]
    while len(rest) >= 4:
        length, kind = struct.unpack_from("=HH", rest)
        if kind == _INFO:
            yield (near, far), _connection_of(rest[4:length])
        rest = rest[max(4, (length + 3) & ~3) :]


def _connection_of(facts: bytes) -> WorkerConnection:
    def number(place: int) -> int:
        return int(struct.unpack_from("=I", facts, place)[0]) if len(facts) >= place + 4 else 0

    sent_ms, received_ms = number(_LAST_SENT), number(_LAST_RECEIVED)
    # Both step with the kernel's clock, by some milliseconds. Less is no proof.
    owes = sent_ms < received_ms
    # What is sent again and again is sent lately.
    is_lost = bool(number(_UNACKED))
    since_ms = number(_LAST_ACKNOWLEDGED) if is_lost else sent_ms
    return WorkerConnection(
        round_trip_ms=number(_LEAST_ROUND_TRIP) / 1000 or None,
        unanswered_seconds=since_ms / 1000 if owes or is_lost else None,
        is_acknowledged=not is_lost,
    )
