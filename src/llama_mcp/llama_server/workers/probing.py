"""Whether RPC workers answer: all are asked side by side, within a bound. Blocking.

A worker serves one llama-server at a time, and says nothing of its own. It closes a connection
whose first byte is no command that it knows (ggml-rpc.cpp, rpc_serve_client): that is its sign of
life. It is never greeted as llama-server does. Whoever leaves before the answer to a greeting has
come makes it write to a closed connection, and it ends by SIGPIPE (seen with b11434).

Its queue has room for two connections. So of one that is silent the connection is kept, and the
next look waits on it: many looks do not fill the queue.
"""

import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from llama_mcp.llama_server.workers.wanted import host_and_port

_NO_COMMAND = b"\xff"
# How long a look is taken for what is.
FRESH_SECONDS = 5.0
# For the threads themselves, on a machine that is busy.
_MARGIN_SECONDS = 0.5
# How long one may take that was silent before; it may have just been thawed.
_THAW_SECONDS = 0.5
# A peer whose machine is gone is noticed after about twelve seconds.
_KEEPALIVE = (("TCP_KEEPIDLE", 6), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3))
# A round trip that takes longer is measured again.
_QUICK_MS, _TRIES = 2.0, 3
_LEAST_SECONDS = 0.05

NOTHING_LISTENS = "nothing listens there"
IS_SILENT = (
    "it accepts connections and does not answer: it stands still, or serves another llama-server, "
    "since a worker serves one at a time"
)


@dataclass(frozen=True, slots=True)
class WorkerLook:
    """What was seen of a worker.

    Attributes:
        address: Its host:port.
        problem: Why it cannot be used, a clause; None of one that answers.
        is_gone: Established that nothing of it runs, or can be reached.
        round_trip_ms: How long its sign of life took, there and back: through a tunnel too, whose
            near end alone the system's own figure is about.
    """

    address: str
    problem: str | None = None
    is_gone: bool = False
    round_trip_ms: float | None = None


def look_at(
    addresses: Sequence[str], patience_seconds: float, max_age_seconds: float = FRESH_SECONDS
) -> list[WorkerLook]:
    """Return what is seen of each worker; in their order.

    One that serves a llama-server of ours must not be looked at: it would seem to be silent.

    Args:
        addresses: of the workers.
        patience_seconds: how long one may take to answer.
        max_age_seconds: how old an earlier look may be that is told again.
    """
    looks: dict[str, WorkerLook] = {}

    def look(address: str) -> None:
        worker = _workers.setdefault(address, _Worker(address))
        looks[address] = worker.look(patience_seconds, max_age_seconds)

    # Not the threads of a pool, for which an interpreter waits as it ends: a name server may hang.
    threads = [
        threading.Thread(target=look, args=(address,), daemon=True)
        for address in dict.fromkeys(addresses)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience_seconds + _MARGIN_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"nothing was heard of it within {patience_seconds:g} s"
    return [looks.get(address) or WorkerLook(address, late) for address in addresses]


class _Worker:
    """What this process knows of one worker."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._waiting: socket.socket | None = None
        self._last: tuple[float, WorkerLook] | None = None

    def look(self, patience_seconds: float, max_age_seconds: float) -> WorkerLook:
        with self._lock:
            if self._last and time.monotonic() - self._last[0] < max_age_seconds:
                return self._last[1]
            seen = self._look(patience_seconds)
            self._last = (time.monotonic(), seen)
            return seen

    def _look(self, patience_seconds: float) -> WorkerLook:
        if self._waiting is not None:
            self._waiting.settimeout(_THAW_SECONDS)
            # Not select, which takes no descriptor above 1023: a server of many clients has more.
            try:
                self._waiting.recv(1)
            except TimeoutError:
                return WorkerLook(self._address, IS_SILENT)
            except OSError:  # it is closed: asked anew, it is seen why
                pass
            self._waiting.close()
            self._waiting = None
        looks = [self._ask(patience_seconds)]
        # A busy machine makes one slow; what comes quickly is quick.
        while len(looks) < _TRIES and (looks[-1].round_trip_ms or 0.0) > _QUICK_MS:
            looks.append(self._ask(patience_seconds))
        return min(looks, key=lambda look: (look.problem is None, look.round_trip_ms or 0.0))

    def _ask(self, patience_seconds: float) -> WorkerLook:
        deadline = time.monotonic() + patience_seconds
        try:
            connection = socket.create_connection(host_and_port(self._address), patience_seconds)
        except TimeoutError:
            what = f"no connection to it within {patience_seconds:g} s"
            return WorkerLook(self._address, what, is_gone=True)
        except ConnectionRefusedError:
            return WorkerLook(self._address, NOTHING_LISTENS, is_gone=True)
        except socket.gaierror as error:
            return WorkerLook(self._address, f"its name is not known here ({error.strerror})")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return WorkerLook(self._address, f"it cannot be reached ({reason})", is_gone=True)
        return self._asked(connection, deadline)

    def _asked(self, connection: socket.socket, deadline: float) -> WorkerLook:
        """Ask for the sign of life on a connection; without one it is kept."""
        asked_at = time.monotonic()
        connection.settimeout(max(_LEAST_SECONDS, deadline - asked_at))
        try:
            connection.sendall(_NO_COMMAND)
            answer = connection.recv(1)
        except TimeoutError:
            _keep_alive(connection)
            self._waiting = connection
            return WorkerLook(self._address, IS_SILENT)
        except OSError:  # it closed without reading to the end
            answer = b""
        trip_ms = (time.monotonic() - asked_at) * 1000
        connection.close()
        if answer:
            return WorkerLook(self._address, "what answers there is no RPC worker")
        return WorkerLook(self._address, round_trip_ms=round(trip_ms, 3))


_workers: dict[str, _Worker] = {}


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if option := getattr(socket, name, None):
            with suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, option, value)
