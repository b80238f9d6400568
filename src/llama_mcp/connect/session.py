"""The session of a client of the handshake era: begun, told to the server, begun anew when lost.

A server that was restarted, or has not heard of a client for half an hour, has forgotten the
session. A client over stdio knows of no sessions, so the bridge repeats what the client had said:
the handshake, and to which resources it listens. What the client may have missed it is told.
"""

import threading
from contextlib import suppress

from llama_mcp.connect.failures import BridgeError, not_understood, refused
from llama_mcp.connect.messages import (
    CANCELLED,
    INITIALIZED,
    SUBSCRIBE,
    Message,
    NotAMessageError,
    content_of,
)
from llama_mcp.connect.responses import BadResponseError, EndOfResponseError
from llama_mcp.connect.server import EVENT_STREAM, JSON, Exchange, Headers, Server
from llama_mcp.early.json_text import id_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from llama_mcp.connect.output import Output

ACCEPT = ("Accept", f"{JSON}, {EVENT_STREAM}")
SESSION_ID = "mcp-session-id"
# What no honest client or server reaches; it only bounds memory.
_MOST_KEPT = 10_000
_LISTS = ("tools", "prompts", "resources")


class Session:
    """The session as it is now; for any thread."""

    def __init__(self, server: Server, output: "Output") -> None:
        self._server = server
        self._output = output
        self._renewing = threading.Lock()
        self._greeting = b""
        self._id: str | None = None
        self._version: str | None = None
        self._capabilities: dict[str, Any] = {}
        self._subscribed: dict[str, None] = {}
        self._asked: dict[str, None] = {}
        self.generation = 0
        """Counts the sessions that there were."""
        self.is_initialized = False
        """Whether the client has said that it is ready."""
        self.renewed = threading.Event()
        """Set whenever there is a new one."""

    @property
    def has_id(self) -> bool:
        """Tell whether the server keeps sessions, and the client has one."""
        return self._id is not None

    def headers(self) -> Headers:
        """Return the headers of a request of this session."""
        headers = []
        if self._version:
            headers.append(("MCP-Protocol-Version", self._version))
        if self._id:
            headers.append(("Mcp-Session-Id", self._id))
        return headers

    def begin(self, greeting: bytes, session_id: str | None, result: "Any") -> None:
        """Take what the handshake has come to.

        Args:
            greeting: the client's line.
            session_id: what the server calls it; None when it keeps no sessions.
            result: of `initialize`.
        """
        content = result if isinstance(result, dict) else {}
        version, capabilities = content.get("protocolVersion"), content.get("capabilities")
        self._greeting = greeting
        self._id = session_id if _is_session_id(session_id) else None
        # It goes into a header.
        is_header = isinstance(version, str) and version.isascii() and version.isprintable()
        self._version = version if is_header else None
        self._capabilities = capabilities if isinstance(capabilities, dict) else {}
        self.generation += 1

    def renew(self, lost: int) -> None:
        """Begin anew, unless another thread has done so since the session with that number.

        Raises:
            BridgeError: The server takes no new one.
        """
        with self._renewing:
            if self.generation != lost:
                return
            head, content = self._ask(self._greeting, [])
            if "result" not in content:
                raise not_understood(self._server.target.url, "it takes no new session")
            self.begin(self._greeting, head.get(SESSION_ID), content["result"])
            if self.is_initialized:
                self._tell(f'{{"jsonrpc":"2.0","method":"{INITIALIZED}"}}'.encode())
            for number, uri in enumerate([*self._subscribed]):
                self._ask(_subscription(number, uri), self.headers())
        self._output.note("the server had forgotten the session; a new one was begun")
        self._tell_what_was_missed()
        self.renewed.set()

    def tell_of_a_gap(self) -> None:
        """Tell the client that the resources it listens to may have changed."""
        for uri in [*self._subscribed]:
            params = f'{{"uri":{id_text(uri)}}}'
            self._notify("notifications/resources/updated", params)

    def note_answered(self, message: Message) -> None:
        """Note that the server has done what a request asked for."""
        uri = message.params.get("uri")
        if not isinstance(uri, str):
            return
        if message.method != SUBSCRIBE:
            self._subscribed.pop(uri, None)
        elif len(self._subscribed) < _MOST_KEPT:
            self._subscribed[uri] = None

    def note_asked(self, request_id: str) -> None:
        """Note a request of the server, which only this session can be answered."""
        if len(self._asked) < _MOST_KEPT:
            self._asked[request_id] = None

    def take_answer(self, request_id: str) -> bool:
        """Tell whether the server waits for this answer; it waits for one."""
        return self._asked.pop(request_id, self) is None

    def end(self, patience_seconds: float) -> None:
        """Tell the server that the client has left."""
        if not self._id:
            return
        with suppress(BridgeError):  # it forgets the session by itself, or is not there
            self._server.begin(
                "DELETE", self.headers(), b"", Exchange(), patience_seconds=patience_seconds
            )

    def _tell_what_was_missed(self) -> None:
        asked, self._asked = self._asked, {}
        for request_id in asked:
            self._notify(CANCELLED, f'{{"requestId":{request_id}}}')
        for kind in _LISTS:
            offered = self._capabilities.get(kind)
            if isinstance(offered, dict) and offered.get("listChanged") is True:
                self._notify(f"notifications/{kind}/list_changed", "{}")
        self.tell_of_a_gap()

    def _notify(self, method: str, params: str) -> None:
        frame = f'{{"jsonrpc":"2.0","method":"{method}","params":{params}}}'
        self._output.send(frame.encode("utf-8", "backslashreplace"))

    def _tell(self, line: bytes) -> None:
        exchange = Exchange()
        headers = [ACCEPT, *self.headers()]
        self._server.begin("POST", headers, line, exchange).finish(self._server.connections)

    def _ask(self, line: bytes, headers: Headers) -> "tuple[dict[str, str], dict[str, Any]]":
        """Send a request of the bridge's own; return the headers and the content of the answer."""
        exchange = Exchange()
        response = self._server.begin("POST", [ACCEPT, *headers], line, exchange)
        url = self._server.target.url
        try:
            if response.head.status != 200:
                status, of_head = response.head.status, response.head.headers
                raise refused(url, status, of_head, "", self._server.token.given_by)
            for text in response.messages():
                content = content_of(text)
                if isinstance(content, dict) and "method" not in content:
                    return response.head.headers, content
        except (BadResponseError, EndOfResponseError, OSError) as error:
            raise self._server.failure(error, exchange) from error
        except NotAMessageError as error:
            raise not_understood(url, "its answer is no JSON") from error
        finally:
            response.finish(self._server.connections)
        raise not_understood(url, "there is no answer in its response")


def _subscription(number: int, uri: str) -> bytes:
    request_id = f'"llama-mcp-connect-{number}"'
    params = f'{{"uri":{id_text(uri)}}}'
    frame = f'{{"jsonrpc":"2.0","id":{request_id},"method":"{SUBSCRIBE}","params":{params}}}'
    return frame.encode("utf-8", "backslashreplace")


def _is_session_id(text: str | None) -> bool:
    return bool(text) and str(text).isascii() and str(text).isprintable()
