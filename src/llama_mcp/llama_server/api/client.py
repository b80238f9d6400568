"""A client of one llama-server's HTTP API. HTTP's errors become ours here."""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import httpx2

from llama_mcp.llama_server.api.shared_answer import SharedAnswer
from llama_mcp.llama_server.api.stream_transport import StreamTransport
from llama_mcp.llama_server.errors import CompletionError, LlamaServerLostError

CONNECT_TIMEOUT_SECONDS = 5.0
# A request that finds all slots busy gets no headers until one is free, so reading has no limit
# here: the turn has its own, which counts what really arrives.
STREAM_TIMEOUT = httpx2.Timeout(None, connect=CONNECT_TIMEOUT_SECONDS)
GET_TIMEOUT_SECONDS = 2.0
# llama-server answers /slots between two steps of generation, so each answer is used for a while.
SLOTS_AGE_SECONDS = 0.25
# Counting the tokens of a long prompt takes a second; it waits for no slot.
POST_TIMEOUT_SECONDS = 30.0
# The tokens of a prompt, as numbers, are the longest whole answer.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_REFUSAL_BYTES = 64 * 1024
# How many characters of a refusal an error repeats.
SHOWN = 1000
# One SSE line; a whole reply in one chunk stays far below, an endless line does not.
MAX_LINE_BYTES = 16 * 1024 * 1024
DONE = b"[DONE]"
# httpx2 raises RuntimeError when the client is closed during a request, as a stop does.
FAILURES = (httpx2.HTTPError, httpx2.StreamError, RuntimeError)


class LlamaServerClient:
    """Talks to the llama-server at url."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
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
        self._stream_transport = StreamTransport(CONNECT_TIMEOUT_SECONDS)
        self._slots: SharedAnswer[Any | None] = SharedAnswer(SLOTS_AGE_SECONDS)
        self._streams = httpx2.AsyncClient(
            base_url=url,
            headers={**(headers or {}), "Accept-Encoding": "identity"},
            timeout=None,
            trust_env=False,
            transport=self._stream_transport,
        )

    async def aclose(self) -> None:
        """Close every connection; llama-server does not end while one is open."""
        await self._streams.aclose()
        await self._http.aclose()

    async def is_healthy(self) -> bool:
        """Tell whether it answers and its model is loaded, by /health."""
        try:
            status, _ = await self._fetch("GET", "/health", GET_TIMEOUT_SECONDS)
        except FAILURES:
            return False
        return httpx2.codes.is_success(status)

    async def get_or_none(
        self, path: str, timeout_seconds: float = GET_TIMEOUT_SECONDS
    ) -> Any | None:
        """Return the JSON of a GET endpoint; None when this build has none or does not answer."""
        try:
            status, content = await self._fetch("GET", path, timeout_seconds)
            return _decode(content) if httpx2.codes.is_success(status) else None
        except (*FAILURES, LlamaServerLostError):
            return None

    async def slots(self) -> Any | None:
        """Return the JSON of /slots, at most a moment old; None when this build does not give it.

        An answer is not used again once a reply of this process has begun or ended.
        """
        changes = self._stream_transport.changes
        return await self._slots.get(changes, partial(self.get_or_none, "/slots"))

    async def metrics_text(self) -> str | None:
        """Return the Prometheus text of /metrics; None when this build has none."""
        try:
            status, content = await self._fetch("GET", "/metrics", GET_TIMEOUT_SECONDS)
        except FAILURES:
            return None
        return content.decode("utf-8", "replace") if httpx2.codes.is_success(status) else None

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
        except FAILURES as error:
            raise LlamaServerLostError(_describe(error)) from error
        if status in (httpx2.codes.NOT_FOUND, httpx2.codes.NOT_IMPLEMENTED):
            return None
        if not httpx2.codes.is_success(status):
            raise error_from(status, content)
        return _decode(content)

    async def _fetch(
        self, method: str, path: str, seconds: float, content: bytes | None = None
    ) -> tuple[int, bytes]:
        """Return status and body of an answer that is complete in time and not too long.

        httpx2's own limits count for each read, so a body that trickles in would never exceed them.
        """
        body = bytearray()
        try:
            with anyio.fail_after(seconds):
                async with self._http.stream(
                    method, path, content=content, timeout=STREAM_TIMEOUT
                ) as response:
                    async for piece in response.aiter_bytes():
                        body += piece
                        if len(body) > MAX_ANSWER_BYTES:
                            raise httpx2.RemoteProtocolError("its answer has no end")
                    return response.status_code, bytes(body)
        except TimeoutError as error:
            raise httpx2.ReadTimeout(f"no whole answer within {seconds:g} s") from error

    @asynccontextmanager
    async def stream_chat(self, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[Any]]:
        """Send a chat request and give the JSON of each chunk as it arrives.

        Leaving the context closes the stream, which makes llama-server stop generating.

        Raises:
            CompletionError: llama-server refused the request, or reports an error in mid-stream.
            LlamaServerLostError: the connection broke, or the stream ended before it was done.
        """
        request = self._streams.build_request(
            "POST",
            "/v1/chat/completions",
            content=_encode({**body, "stream": True}),
            headers={"Content-Type": "application/json"},
        )
        try:
            response = await self._streams.send(request, stream=True)
        except FAILURES as error:
            raise LlamaServerLostError(_describe(error)) from error
        try:
            if response.status_code != httpx2.codes.OK:
                raise await _refusal(response)
            yield _chunks(response)
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()


async def _refusal(response: httpx2.Response) -> CompletionError:
    """Return what a refusal says, as far as its body arrives within GET_TIMEOUT_SECONDS."""
    content = b""
    try:
        with anyio.move_on_after(GET_TIMEOUT_SECONDS):
            async for piece in response.aiter_raw():
                content += piece
                if len(content) > MAX_REFUSAL_BYTES:
                    break
    except FAILURES as error:
        return LlamaServerLostError(_describe(error))
    return error_from(response.status_code, content)


async def _chunks(response: httpx2.Response) -> AsyncIterator[Any]:
    """Give each `data:` line as JSON. Lines end with LF only: JSON text may hold other breaks."""
    pending = b""
    try:
        async for piece in response.aiter_raw():
            *lines, pending = (pending + piece).split(b"\n")
            for line in lines:
                field, _, value = line.strip().partition(b":")
                if field == b"data" and value.strip() == DONE:
                    return
                if field == b"error":  # how builds before 2025 send it
                    raise error_from(httpx2.codes.INTERNAL_SERVER_ERROR, value)
                if field == b"data" and value.strip():
                    yield _checked_chunk(value)
            if len(pending) > MAX_LINE_BYTES:
                raise LlamaServerLostError("its stream holds a line without an end")
    except FAILURES as error:
        raise LlamaServerLostError(_describe(error)) from error
    raise LlamaServerLostError("its stream ended before the reply was complete")


def _checked_chunk(data: bytes) -> Any:
    chunk = _decode(data)
    if isinstance(chunk, dict) and chunk.get("error"):
        code = chunk["error"].get("code") if isinstance(chunk["error"], dict) else None
        status = code if isinstance(code, int) else 0
        is_status = 400 <= status < 600
        raise error_from(status if is_status else httpx2.codes.INTERNAL_SERVER_ERROR, data)
    return chunk


def error_from(status: int, content: bytes) -> CompletionError:
    """Turn llama-server's error envelope into words; the message tells more than the type."""
    try:
        fault = json.loads(content)
        message = str(fault.get("error", fault)["message"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        message = content.decode("utf-8", "replace").strip()[:300] or "no explanation"
    shown = message if len(message) <= SHOWN else message[:SHOWN] + "…"
    return CompletionError(f"{shown} (HTTP {int(status)})", _next_step(status, message))


def _next_step(status: int, message: str) -> str:
    if (
        "exceeds the available context size" in message
        or "context size has been" in message.lower()
    ):
        return "Begin a new session, shorten the message, or start with a larger ctx_size."
    if "mmproj" in message:
        return "This model reads text only."
    if status == httpx2.codes.SERVICE_UNAVAILABLE:
        return "The model is still loading; {status}, then try again."
    if status < httpx2.codes.INTERNAL_SERVER_ERROR:
        return "Change the parameter that it names and try again."
    return "{Status}; if it happens again, {stop}, then {start}."


def _encode(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _decode(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise LlamaServerLostError("it sent something that is not JSON") from error


def _describe(error: Exception) -> str:
    text = str(error)
    return f"the connection to it failed ({type(error).__name__}{': ' if text else ''}{text})"
