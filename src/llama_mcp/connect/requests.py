"""Requests of the client: each is carried out by a thread of its own, and gets one answer."""

import threading

from llama_mcp.connect.failures import (
    CONNECTION_FAILED,
    BridgeError,
    broken_off,
    not_understood,
    refused,
)
from llama_mcp.connect.messages import (
    INITIALIZE,
    LISTEN,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Message,
    NotAMessageError,
    content_of,
    error_line,
)
from llama_mcp.connect.responses import BadResponseError, EndOfResponseError
from llama_mcp.connect.server import JSON, AbortedError, Exchange, Headers, Response, Server
from llama_mcp.connect.session import ACCEPT, SESSION_ID, Session
from llama_mcp.early.json_text import id_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from llama_mcp.connect.output import Output

# What may be the call of a tool is never sent twice.
_ONCE = frozenset({"tools/call"})
_SUBSCRIPTIONS = frozenset({SUBSCRIBE, UNSUBSCRIBE})
# By these the server refuses what a message says, and tells its code and data.
_OF_MESSAGES = frozenset({400, 406})


class Request:
    """One request under way."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.id = message.id or "null"
        self.exchange = Exchange()
        self.has_begun = threading.Event()
        """Set when the server has it, or never will."""
        self.is_cancelled = False


class Requests:
    """All requests under way, by their ids."""

    def __init__(
        self,
        server: Server,
        session: Session,
        output: "Output",
        release: "Callable[[int], None]",
    ) -> None:
        self._server = server
        self._session = session
        self._output = output
        self._release = release
        self._changed = threading.Condition()
        self._under_way: dict[str, Request] = {}

    def add(self, message: Message) -> Request:
        """Note a request that somebody is about to carry out."""
        request = Request(message)
        with self._changed:
            self._under_way[request.id] = request
        return request

    def find(self, request_id: str) -> Request | None:
        """Return the request under way with that id."""
        return self._under_way.get(request_id)

    def wait_until_none(self, seconds: float) -> bool:
        """Wait until none is left but those that only listen; tell whether that is so."""
        with self._changed:
            return self._changed.wait_for(self._are_all_listening, seconds)

    def carry_out(self, request: Request) -> None:
        """Send a request, and pass on what comes of it until its answer."""
        size = len(request.message.line)
        try:
            self._carry_out(request)
        except BridgeError as failure:
            self._answer(request, error_line(request.id, failure.code, failure.text))
        except AbortedError:
            pass  # what was cancelled gets no answer
        except Exception as error:
            # A bug of ours; whoever waits must know, and the traceback belongs on stderr.
            text = f"The bridge to {self._server.target.url} has failed: {error!r}."
            self._answer(request, error_line(request.id, CONNECTION_FAILED, text))
            raise
        finally:
            request.has_begun.set()
            self._forget(request)
            self._release(size)

    def refuse(self, request: Request, failure: BridgeError) -> None:
        """Answer a request that is not carried out."""
        self._answer(request, error_line(request.id, failure.code, failure.text))
        self._forget(request)
        self._release(len(request.message.line))

    def _carry_out(self, request: Request) -> None:
        session, message = self._session, request.message
        number = session.generation
        response = self._post(request)
        is_of_session = message.version is None and message.method != INITIALIZE
        if response.head.status == 404 and is_of_session and session.has_id:
            response.finish(self._server.connections)
            session.renew(number)
            response = self._post(request)
        request.has_begun.set()
        try:
            self._take(request, response)
        except (BadResponseError, EndOfResponseError, OSError) as error:
            raise self._server.failure(error, request.exchange) from error
        finally:
            # Its answer is out, so nobody waits for it while the end of the response is read.
            self._forget(request)
            response.finish(self._server.connections)

    def _post(self, request: Request) -> Response:
        message = request.message
        headers: Headers = [ACCEPT, *message.own_headers()]
        if message.version is None and message.method != INITIALIZE:
            headers += self._session.headers()
        is_repeatable = message.method not in _ONCE
        return self._server.begin(
            "POST", headers, message.line, request.exchange, is_repeatable=is_repeatable
        )

    def _take(self, request: Request, response: Response) -> None:
        if response.head.status != 200:
            self._take_refusal(request, response)
            return
        for text in response.messages():
            content = self._read(text)
            if "method" in content:
                self.pass_on(text, content)
                continue
            self._take_answer(request, response, text, content)
            return
        raise broken_off(self._server.target.url, "its response ended without one")

    def pass_on(self, text: bytes, content: "dict[str, Any]") -> None:
        """Pass on a notification or a request of the server's."""
        if "id" in content:
            self._session.note_asked(_id_of(content))
        self._output.send(_one_line(text))

    def _take_answer(
        self, request: Request, response: Response, text: bytes, content: "dict[str, Any]"
    ) -> None:
        message = request.message
        if _id_of(content) != request.id:
            error = content.get("error")
            if content.get("id") is not None or not isinstance(error, dict):
                raise not_understood(self._server.target.url, "it answered another request")
            text = _error_of(request.id, error)
        if "result" in content and message.version is None:
            if message.method == INITIALIZE:
                session_id = response.head.headers.get(SESSION_ID)
                self._session.begin(message.line, session_id, content["result"])
            elif message.method in _SUBSCRIPTIONS:
                self._session.note_answered(message)
        self._answer(request, _one_line(text))

    def _take_refusal(self, request: Request, response: Response) -> None:
        """Pass on what a status other than 200 means for the request.

        Raises:
            BridgeError: It is no answer to the message.
        """
        head, body = response.head, response.text()
        content = _object_of(body) if head.content_type == JSON else {}
        error = content.get("error")
        if isinstance(error, dict):
            if content.get("id") is not None and _id_of(content) == request.id:
                self._answer(request, _one_line(body))
                return
            if head.status in _OF_MESSAGES:
                self._answer(request, _error_of(request.id, error))
                return
        said = _said(body, content, head.content_type)
        given_by = self._server.token.given_by
        raise refused(self._server.target.url, head.status, head.headers, said, given_by)

    def _read(self, text: bytes) -> "dict[str, Any]":
        try:
            content = content_of(text)
        except NotAMessageError as error:
            raise BadResponseError("its answer is no JSON") from error
        if not isinstance(content, dict):
            raise BadResponseError("its answer is no JSON-RPC message")
        return content

    def _answer(self, request: Request, line: bytes) -> None:
        if not request.is_cancelled:
            self._output.send(line)

    def _forget(self, request: Request) -> None:
        with self._changed:
            if self._under_way.get(request.id) is request:
                del self._under_way[request.id]
            self._changed.notify_all()

    def _are_all_listening(self) -> bool:
        return all(one.message.method == LISTEN for one in self._under_way.values())


def _one_line(text: bytes) -> bytes:
    """Return JSON without line ends, which stand between its parts only."""
    return text.replace(b"\n", b" ").replace(b"\r", b" ")


def _id_of(content: "dict[str, Any]") -> str:
    return id_text(content.get("id"))


def _object_of(body: bytes) -> "dict[str, Any]":
    try:
        content = content_of(body)
    except NotAMessageError:
        return {}
    return content if isinstance(content, dict) else {}


def _error_of(request_id: str, error: "dict[str, Any]") -> bytes:
    """Return the error of an answer that does not say what it answers."""
    import json  # errors are rare, and it costs memory

    code, text = error.get("code"), error.get("message")
    data = json.dumps(error["data"]) if "data" in error else None
    is_code = isinstance(code, int) and not isinstance(code, bool)
    return error_line(request_id, int(code) if is_code and code else -32603, str(text), data)


def _said(body: bytes, content: "dict[str, Any]", content_type: str) -> str:
    """Return the words of a refusal; none when it is a page for people."""
    error = content.get("error")
    inside = error.get("message") if isinstance(error, dict) else None
    for words in (inside, content.get("error_description"), content.get("message"), error):
        if isinstance(words, str):
            return words
    return body.decode("utf-8", "replace") if content_type == "text/plain" else ""
