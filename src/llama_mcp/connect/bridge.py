"""The bridge itself: what each line of the client leads to, and the end.

The main thread reads stdin and nothing else, so that it sees the client leave whatever the server
does. A second one sends in the client's order: the handshake before what follows it, notifications
and answers one after the other. Each request is carried out by a thread of its own.
"""

# Not signal: it makes enumerations of all that this has.
import _signal  # type: ignore[import-not-found]  # typeshed has no stub of it
import os
import sys
import threading
import time
from contextlib import suppress

from llama_mcp.connect.connections import Connections
from llama_mcp.connect.failures import INVALID_REQUEST, BridgeError
from llama_mcp.connect.inbox import Inbox, LineReader, LineTooLongError
from llama_mcp.connect.messages import (
    CANCELLED,
    INITIALIZE,
    INITIALIZED,
    Message,
    NotAMessageError,
    error_line,
    read_message,
)
from llama_mcp.connect.notices import Notices
from llama_mcp.connect.output import Output
from llama_mcp.connect.requests import Requests
from llama_mcp.connect.responses import MOST_BYTES
from llama_mcp.connect.server import AbortedError, Exchange, Server
from llama_mcp.connect.session import ACCEPT, Session
from llama_mcp.connect.workers import MOST_AT_ONCE, Workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from llama_mcp.connect.target import Target
    from llama_mcp.connect.token_source import TokenSource

# Clients give a server 2 s after they have closed stdin. These two are what that is made of.
_ANSWER_SECONDS = 1.2
_GOODBYE_SECONDS = 0.4
# What a server that lives takes to acknowledge a notification, many times over.
_NOTIFY_SECONDS = 10.0
# How long a cancel waits for its own request to have reached the server.
_BEGIN_SECONDS = 1.0


class _LeaveError(Exception):
    """The process was asked to end."""


def run_bridge(target: "Target", token: "TokenSource") -> "NoReturn":
    """Serve the client until it leaves; end the process."""
    for number in (_signal.SIGTERM, _signal.SIGINT):
        _signal.signal(number, _leave)
    _use_bytes()
    bridge = Bridge(target, token)
    with suppress(_LeaveError):
        bridge.read()
    for number in (_signal.SIGTERM, _signal.SIGINT):
        _signal.signal(number, _end_at_once)
    bridge.end()
    # Threads may sit in reads that nothing ends.
    os._exit(0)


class Bridge:
    """One client, and its server."""

    def __init__(self, target: "Target", token: "TokenSource") -> None:
        self._output = Output()
        self._inbox = Inbox()
        self._server = Server(target, token, Connections(target, time.monotonic))
        self._session = Session(self._server, self._output)
        self._requests = Requests(self._server, self._session, self._output, self._inbox.release)
        self._notices = Notices(self._server, self._session, self._requests)
        self._workers = Workers()
        self._is_all_sent = threading.Event()
        self._is_modern = False

    def read(self) -> None:
        """Read what the client says until it leaves."""
        threading.Thread(target=self._send_in_order, daemon=True).start()
        reader = LineReader(0)
        while not self._output.is_broken:
            try:
                line = reader.next()
            except LineTooLongError:
                text = f"A message may have {MOST_BYTES // 2**20} MiB."
                self._output.send(error_line(None, INVALID_REQUEST, text))
                continue
            if line is None:
                return
            self._inbox.put(line)

    def end(self) -> None:
        """Give quick answers the time to be written, and tell the server that the client left."""
        self._inbox.put(None)
        deadline = time.monotonic() + _ANSWER_SECONDS
        if self._is_all_sent.wait(_ANSWER_SECONDS):
            self._requests.wait_until_none(max(deadline - time.monotonic(), 0))
        goodbye = threading.Thread(target=self._session.end, args=(_GOODBYE_SECONDS,), daemon=True)
        goodbye.start()
        goodbye.join(_GOODBYE_SECONDS)

    def _send_in_order(self) -> None:
        while (line := self._inbox.take()) is not None:
            try:
                message = read_message(line)
            except NotAMessageError as error:
                self._inbox.release(len(line))
                self._output.send(error_line(None, error.code, error.text))
                continue
            if message.is_request:
                self._request(message)
            else:
                self._tell(message)
                self._inbox.release(len(line))
        self._is_all_sent.set()

    def _request(self, message: Message) -> None:
        self._is_modern = message.version is not None
        request = self._requests.add(message)
        if message.method == INITIALIZE:
            # What follows needs the session that comes of it.
            self._requests.carry_out(request)
        elif not self._workers.start(lambda: self._requests.carry_out(request)):
            text = f"{MOST_AT_ONCE} requests are under way. Nothing was done; call again later."
            self._requests.refuse(request, BridgeError(text))

    def _tell(self, message: Message) -> None:
        """Send what wants no answer, and wait until the server has it."""
        if message.is_answer:
            if self._session.take_answer(message.id or ""):
                self._post(message)
        elif message.method == CANCELLED:
            self._cancel(message)
        elif not self._is_modern:
            # Since 2026-07-28 a client has nothing to notify a server of.
            self._post(message)
        if message.method == INITIALIZED and not self._session.is_initialized:
            self._session.is_initialized = True
            self._notices.begin()

    def _cancel(self, message: Message) -> None:
        request = self._requests.find(message.cancelled or "")
        if request is None:
            return
        request.is_cancelled = True
        if request.message.version is not None:
            # There, to close the stream of a request is to cancel it.
            request.exchange.abort()
            return
        request.has_begun.wait(_BEGIN_SECONDS)
        self._post(message)

    def _post(self, message: Message) -> None:
        number = self._session.generation
        headers = [ACCEPT, *self._session.headers()]
        try:
            response = self._server.begin(
                "POST", headers, message.line, Exchange(), patience_seconds=_NOTIFY_SECONDS
            )
            response.finish(self._server.connections)
            if response.head.status == 404 and self._session.has_id:
                self._session.renew(number)
            elif response.head.status >= 400:
                self._output.note(f"{message.method or 'an answer'}: {response.head.status}")
        except BridgeError as failure:
            self._output.note(failure.text)
        except AbortedError:
            pass


def _leave(_number: int, _frame: object) -> "NoReturn":
    raise _LeaveError


def _end_at_once(_number: int, _frame: object) -> "NoReturn":
    os._exit(1)


def _use_bytes() -> None:
    """Have stdin and stdout give and take bytes as they are, which Windows does not by itself."""
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (0, 1):
            msvcrt.setmode(descriptor, os.O_BINARY)
