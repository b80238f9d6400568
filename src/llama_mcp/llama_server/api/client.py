"""A client of one llama-server's HTTP API. HTTP's errors become ours here.

httpx2 is imported with the first client: who only looks at records does not wait for it.
"""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import anyio

from llama_mcp.llama_server.api.chunks import StreamMark, chunks_of, decoded
from llama_mcp.llama_server.api.connection import Connection, lost
from llama_mcp.llama_server.api.connections import Connections
from llama_mcp.llama_server.api.fields import member
from llama_mcp.llama_server.api.refusals import error_from
from llama_mcp.llama_server.api.shared_answer import SharedAnswer
from llama_mcp.llama_server.errors import CompletionError, LlamaServerLostError

if TYPE_CHECKING:
    pass

CONNECT_TIMEOUT_SECONDS = 5.0
GET_TIMEOUT_SECONDS = 2.0
# llama-server answers /slots between two steps of generation, so each answer is used for a while.
SLOTS_AGE_SECONDS = 0.25
# Counting the tokens of a long prompt takes a second; it waits for no slot.
POST_TIMEOUT_SECONDS = 30.0
# The tokens of a prompt, as numbers, are the longest whole answer.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_REFUSAL_BYTES = 64 * 1024
CHAT = "/v1/chat/completions"
STREAM = "/v1/stream"
LOOKUP = "/v1/streams/lookup"
NO_HEADERS: Mapping[str, str] = {}
_OK, _NOT_FOUND, _NOT_IMPLEMENTED = 200, 404, 501


class LlamaServerClient:
    """Talks to the llama-server at url."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        import httpx2

        self.url = url
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else None
        # trust_env off: a proxy must never see what goes to this machine.
        self._http = httpx2.AsyncClient(
            base_url=url,
            headers=headers,
            timeout=GET_TIMEOUT_SECONDS,
            trust_env=False,
            # Nothing here is encrypted; the default would load every certificate (50 ms).
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )
        self._connections = Connections(url, CONNECT_TIMEOUT_SECONDS)
        self._head = _head_lines(url, api_key)
        self._has_streams: bool | None = None
        self._slots: SharedAnswer[Any | None] = SharedAnswer(SLOTS_AGE_SECONDS)

    async def aclose(self) -> None:
        """Close every connection; llama-server does not end while one is open."""
        self._connections.close()
        await self._http.aclose()

    async def is_healthy(self) -> bool:
        """Tell whether it answers and its model is loaded, by /health."""
        try:
            status, _ = await self._fetch("GET", "/health", GET_TIMEOUT_SECONDS)
        except _failures():
            return False
        return _is_success(status)

    async def get_or_none(
        self, path: str, timeout_seconds: float = GET_TIMEOUT_SECONDS
    ) -> Any | None:
        """Return the JSON of a GET endpoint; None when this build has none or does not answer."""
        status, content = await self.look(path, timeout_seconds)
        return content if _is_success(status) else None

    async def look(
        self, path: str, timeout_seconds: float = GET_TIMEOUT_SECONDS
    ) -> tuple[int, Any | None]:
        """Return status and JSON of a GET endpoint: 0 without an answer, None without JSON."""
        try:
            status, content = await self._fetch("GET", path, timeout_seconds)
        except _failures():
            return 0, None
        try:
            return status, decoded(content)
        except LlamaServerLostError:
            return status, None

    async def slots(self) -> Any | None:
        """Return the JSON of /slots, at most a moment old; None when this build does not give it.

        An answer is not used again once a reply of this process has begun or ended.
        """
        changes = self._connections.changes
        return await self._slots.get(changes, partial(self.get_or_none, "/slots"))

    async def names_tag(self, tag: str) -> bool:
        """Tell whether its model has that tag (--tags), which /v1/models lists."""
        models = member(await self.get_or_none("/v1/models"), "data")
        tags = member(models[0], "tags") if isinstance(models, list) and models else None
        return isinstance(tags, list) and tag in tags

    async def metrics_text(self) -> str | None:
        """Return the Prometheus text of /metrics; None when this build has none."""
        try:
            status, content = await self._fetch("GET", "/metrics", GET_TIMEOUT_SECONDS)
        except _failures():
            return None
        return content.decode("utf-8", "replace") if _is_success(status) else None

    async def post(
        self, path: str, body: Mapping[str, Any], timeout_seconds: float = POST_TIMEOUT_SECONDS
    ) -> Any | None:
        """Return the JSON answer of a POST endpoint; None when this build does not have it.

        Raises:
            CompletionError: it answered with an error other than "no such endpoint".
            LlamaServerLostError: it did not answer.
        """
        try:
            status, content = await self._fetch("POST", path, timeout_seconds, _encode(body))
        except _failures() as error:
            raise lost(_describe(error)) from error
        if status in (_NOT_FOUND, _NOT_IMPLEMENTED):
            return None
        if not _is_success(status):
            raise error_from(status, content, body)
        return decoded(content)

    async def _fetch(
        self, method: str, path: str, seconds: float, content: bytes | None = None
    ) -> tuple[int, bytes]:
        """Return status and body of an answer that is complete in time and not too long.

        httpx2's own limits count for each read, so a body that trickles in would never exceed them.
        """
        import httpx2

        timeout = httpx2.Timeout(None, connect=CONNECT_TIMEOUT_SECONDS)
        body = bytearray()
        try:
            with anyio.fail_after(seconds):
                async with self._http.stream(
                    method, path, content=content, timeout=timeout
                ) as response:
                    async for piece in response.aiter_bytes():
                        body += piece
                        if len(body) > MAX_ANSWER_BYTES:
                            raise httpx2.RemoteProtocolError("its answer has no end")
                    return response.status_code, bytes(body)
        except TimeoutError as error:
            raise httpx2.ReadTimeout(f"no whole answer within {seconds:g} s") from error

    @asynccontextmanager
    async def stream_chat(
        self, body: Mapping[str, Any], mark: StreamMark | None = None
    ) -> AsyncIterator[AsyncIterator[Any]]:
        """Send a chat request and give the JSON of each chunk as it arrives.

        Leaving the context closes the stream, which makes llama-server stop generating; with a mark
        it goes on, and the mark says where to read on (read_stream). No time limit is set here: a
        request that finds all slots busy gets no headers until one is free. The turn has its own
        limit, which counts what really arrives.

        Raises:
            CompletionError: llama-server refused the request, or reports an error in mid-stream.
            LlamaServerLostError: the connection broke, or the stream ended before it was done.
        """
        content = _encode({**body, "stream": True})
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        head = self._request_head("POST", CHAT, headers | (mark.headers if mark else {}))
        async with self._answer(head + content, body) as connection:
            yield chunks_of(connection.pieces(), body, mark)

    async def open_ahead(self, most: int) -> None:
        """Open a connection for a stream that will be asked for in a moment.

        Args:
            most: how many streams llama-server generates at once; no more connections are opened.
        """
        await self._connections.open_ahead(most)

    @asynccontextmanager
    async def read_stream(
        self, stream_id: str, first_byte: int
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give the body of a stream from that byte on, as it arrives.

        Raises:
            CompletionError: it is not known any more, or no longer from that byte on.
            LlamaServerLostError: the connection broke.
        """
        query = urlencode({"conv_id": stream_id, "from": first_byte})
        async with self._answer(self._request_head("GET", f"{STREAM}?{query}"), {}) as connection:
            yield connection.pieces()

    async def end_stream(self, stream_id: str) -> None:
        """Stop what is generated for a stream, and forget it; one that is not known is no error."""
        request = self._request_head("DELETE", f"{STREAM}?{urlencode({'conv_id': stream_id})}")
        with suppress(CompletionError), anyio.move_on_after(GET_TIMEOUT_SECONDS):
            async with self._answer(request, {}) as connection:
                async for _ in connection.pieces():
                    pass

    async def has_streams(self) -> bool:
        """Tell whether this build goes on with a stream whose reader is gone; asked once."""
        if self._has_streams is None:
            try:
                answer = await self.post(LOOKUP, {"conversation_ids": []}, GET_TIMEOUT_SECONDS)
            except CompletionError:
                return False
            self._has_streams = answer is not None
        return self._has_streams

    async def look_up_stream(self, stream_id: str) -> Any | None:
        """Return what is known of a stream; None when it is not known.

        Raises:
            CompletionError: it does not answer.
        """
        found = await self.post(LOOKUP, {"conversation_ids": [stream_id]}, GET_TIMEOUT_SECONDS)
        return found[0] if isinstance(found, list) and found else None

    @asynccontextmanager
    async def _answer(self, request: bytes, body: Mapping[str, Any]) -> AsyncIterator[Connection]:
        connection = await self._connections.ask(request)
        try:
            if not _is_success(connection.status):
                raise await _refusal(connection, body)
            yield connection
        finally:
            self._connections.give_back(connection)

    def _request_head(
        self, method: str, target: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> bytes:
        lines = [f"{method} {target} HTTP/1.1", *self._head]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()


def _head_lines(url: str, api_key: str | None) -> list[str]:
    """Return the headers of every request for a stream."""
    lines = [f"Host: {urlsplit(url).netloc}", "Accept-Encoding: identity"]
    return [*lines, f"Authorization: Bearer {api_key}"] if api_key else lines


async def _refusal(connection: Connection, body: Mapping[str, Any]) -> CompletionError:
    """Return what a refusal says, as far as its body arrives within GET_TIMEOUT_SECONDS."""
    content = b""
    try:
        with anyio.move_on_after(GET_TIMEOUT_SECONDS):
            async for piece in connection.pieces():
                content += piece
                if len(content) > MAX_REFUSAL_BYTES:
                    break
    except LlamaServerLostError as error:
        return error
    return error_from(connection.status, content, body)


def _failures() -> tuple[type[Exception], ...]:
    """Return what httpx2 raises: RuntimeError when its client is closed meanwhile, as by a stop."""
    import httpx2

    return httpx2.HTTPError, httpx2.StreamError, RuntimeError


def _is_success(status: int) -> bool:
    return 200 <= status <= 299


def _encode(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _describe(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
