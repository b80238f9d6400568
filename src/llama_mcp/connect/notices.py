"""What the server says unasked to a client of the handshake era: the stream of a GET, kept open."""

import threading

from llama_mcp.connect.failures import BridgeError
from llama_mcp.connect.messages import NotAMessageError, content_of
from llama_mcp.connect.responses import BadResponseError, EndOfResponseError
from llama_mcp.connect.server import EVENT_STREAM, AbortedError, Exchange, Response, Server
from llama_mcp.connect.session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llama_mcp.connect.requests import Requests

_FIRST_WAIT_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 30.0
# Not found: the session is gone. By the others a server says that it has no such stream.
_SESSION_LOST = 404
_NO_STREAM = frozenset({400, 405, 406, 501})


class Notices:
    """Reads the stream in a thread of its own, and opens it again whenever it ends."""

    def __init__(self, server: Server, session: Session, requests: "Requests") -> None:
        self._server = server
        self._session = session
        self._requests = requests
        self._is_begun = False
        self._was_open = False

    def begin(self) -> None:
        """Begin to read, if the server keeps sessions and nobody reads yet."""
        if self._session.has_id and not self._is_begun:
            self._is_begun = True
            threading.Thread(target=self._read_for_ever, daemon=True).start()

    def _read_for_ever(self) -> None:
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            self._session.renewed.clear()
            try:
                was_open = self._read_once()
            except (BridgeError, AbortedError):
                was_open = False
            if was_open is None:
                return
            wait_seconds = (
                _FIRST_WAIT_SECONDS if was_open else min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)
            )
            self._session.renewed.wait(wait_seconds)

    def _read_once(self) -> bool | None:
        """Read one stream to its end; tell whether there was one, None when there never will be."""
        number, exchange = self._session.generation, Exchange()
        headers = [("Accept", EVENT_STREAM), *self._session.headers()]
        response = self._server.begin("GET", headers, b"", exchange)
        try:
            if response.head.status == _SESSION_LOST:
                self._session.renew(number)
                return True
            if response.head.status in _NO_STREAM:
                return None
            if response.head.status != 200 or response.head.content_type != EVENT_STREAM:
                return False
            if self._was_open:
                self._session.tell_of_a_gap()
            self._was_open = True
            self._pass_on(response)
            return True
        finally:
            response.finish(self._server.connections)

    def _pass_on(self, response: Response) -> None:
        try:
            for text in response.messages():
                content = content_of(text)
                if isinstance(content, dict) and "method" in content:
                    self._requests.pass_on(text, content)
        except (BadResponseError, EndOfResponseError, OSError, NotAMessageError):
            pass  # it is opened again
