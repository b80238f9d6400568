"""Requests to one engine over HTTP or HTTPS, and what kept them from being answered.

TLS is httpx2's: what the system trusts, or the authorities in the file that SSL_CERT_FILE names. No
redirect is followed, so the key reaches no other host. A proxy of the environment is used for https
only, where it sees nothing of what is said; plain HTTP goes straight to the engine.
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from llama_mcp.llama_server.api.chunks import decoded
from llama_mcp.llama_server.errors import LlamaServerLostError
from llama_mcp.llama_server.remote.errors import RemoteLostError, RemoteUnreachableError
from llama_mcp.llama_server.remote.wire.chunks import encoded
from llama_mcp.llama_server.remote.wire.failures import why_no_answer
from llama_mcp.llama_server.remote.wire.key_file import KeyFile, without_key
from llama_mcp.llama_server.remote.wire.refusals import Refusal, refusal_from
from llama_mcp.llama_server.remote.wire.urls import BaseUrl

if TYPE_CHECKING:
    import httpx2

CONNECT_TIMEOUT_SECONDS = 5.0
GET_TIMEOUT_SECONDS = 5.0
# Counting the tokens of a long prompt takes a second.
POST_TIMEOUT_SECONDS = 30.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_REFUSAL_BYTES = 64 * 1024
REFUSAL_SECONDS = 5.0
# Less than what servers wait before they close an idle connection: llama-server and uvicorn 5 s.
KEEPALIVE_SECONDS = 3.0
NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    content: bytes
    retry_after: str | None = None
    location: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether it is what was asked for."""
        return 200 <= self.status <= 299

    @property
    def json(self) -> Any | None:
        """Its JSON; None where it is none."""
        try:
            return decoded(self.content)
        except LlamaServerLostError:
            return None

    @property
    def refusal(self) -> Refusal:
        """What it says, if it is no success."""
        if self.location is not None:
            to = f"it redirects to {self.location[:200]}, which is not followed"
            return Refusal(self.status, to, to)
        return refusal_from(self.status, self.content, self.retry_after)


class RefusedError(Exception):
    """An engine has answered with something else than what was asked for."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class RemoteHttp:
    """Asks one engine. It opens nothing until it is used."""

    def __init__(self, base: BaseUrl, key_file: KeyFile | None = None) -> None:
        self.base = base
        self._key_file = key_file
        self._client: httpx2.AsyncClient | None = None
        self._making = anyio.Lock()
        self._is_closed = False

    async def aclose(self) -> None:
        """Close every connection, and open none any more."""
        self._is_closed = True
        if self._client is not None:
            await self._client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        timeout_seconds: float = GET_TIMEOUT_SECONDS,
    ) -> Answer:
        """Return a whole answer, whatever its status.

        Args:
            method: of HTTP.
            path: of an endpoint, with a query or without, as BaseUrl.of takes it.
            body: JSON.
            timeout_seconds: for the whole answer.

        Raises:
            RemoteUnreachableError: there is none, or it is not whole in time.
            KeyFileError: its key cannot be read.
        """
        try:
            with anyio.fail_after(timeout_seconds):
                async with self._sent(method, path, body, NO_HEADERS) as response:
                    content = await _read(response, MAX_ANSWER_BYTES)
                    return self._answer(response, content)
        except TimeoutError as error:
            within = f"there was no whole answer within {timeout_seconds:g} s"
            raise self._unreachable(method, path, within) from error
        except _failures() as error:
            why = why_no_answer(error, self.base.host)
            raise self._unreachable(method, path, why) from error

    @asynccontextmanager
    async def stream(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Send a request and give the body of its answer as it arrives, without a limit of time.

        Leaving the context closes the connection, which makes engines stop generating.

        Raises:
            RefusedError: it answers with another status.
            RemoteUnreachableError: it does not answer.
            RemoteLostError: the connection broke in the middle.
            KeyFileError: its key cannot be read.
        """
        async with AsyncExitStack() as stack:
            try:
                sent = self._sent("POST", path, body, headers)
                response = await stack.enter_async_context(sent)
                refusal = None if response.is_success else await self._refusal(response)
            except _failures() as error:
                why = why_no_answer(error, self.base.host)
                raise self._unreachable("POST", path, why) from error
            if refusal is not None:
                raise RefusedError(refusal)
            yield await stack.enter_async_context(aclosing(self._pieces(response)))

    async def _pieces(self, response: "httpx2.Response") -> AsyncGenerator[bytes, None]:
        try:
            async for piece in response.aiter_bytes():
                yield piece
        except _failures() as error:
            why = why_no_answer(error, self.base.host)
            raise RemoteLostError(self.base.root, why) from error

    @asynccontextmanager
    async def _sent(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> AsyncIterator["httpx2.Response"]:
        client = await self._open()
        key = await self._key()
        own = {"Authorization": f"Bearer {key}"} if key else {}
        content = None
        if body is not None:
            content, own["Content-Type"] = encoded(body), "application/json"
        url = self.base.of(path)
        async with client.stream(method, url, content=content, headers={**headers, **own}) as it:
            yield it

    def without_key(self, refusal: Refusal) -> Refusal:
        """Return what a stream says without the key, which some repeat; of answers it is done."""
        key = self._key_file.last if self._key_file else None
        message, text = (without_key(each, key) for each in (refusal.message, refusal.text))
        return replace(refusal, message=message, text=text)

    async def _open(self) -> "httpx2.AsyncClient":
        import httpx2

        async with self._making:
            if self._is_closed:
                raise RemoteUnreachableError(self.base.root, "llama-mcp has let go of it")
            if self._client is None:
                # Reading every certificate takes a while.
                context = await self._tls_context()
                self._client = httpx2.AsyncClient(
                    verify=context,
                    trust_env=self.base.is_encrypted and not self.base.is_this_machine,
                    follow_redirects=False,
                    timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT_SECONDS),
                    limits=httpx2.Limits(max_connections=None, keepalive_expiry=KEEPALIVE_SECONDS),
                    headers={"Accept-Encoding": "identity"},
                )
            return self._client

    async def _tls_context(self) -> ssl.SSLContext:
        try:
            return await anyio.to_thread.run_sync(_tls_context, self.base.is_encrypted)
        except (OSError, ValueError) as error:
            raise RemoteUnreachableError(
                self.base.root,
                "the certificates that the environment variable SSL_CERT_FILE or SSL_CERT_DIR "
                f"names cannot be read ({error})",
            ) from error

    async def _key(self) -> str | None:
        if self._key_file is None:
            return None
        return await anyio.to_thread.run_sync(self._key_file.read)

    def _answer(self, response: "httpx2.Response", content: bytes) -> Answer:
        key = response.request.headers.get("Authorization", "").removeprefix("Bearer ")
        location = response.headers.get("Location") if response.is_redirect else None
        if not response.is_success and key:
            content = without_key(content.decode("utf-8", "replace"), key).encode()
        return Answer(response.status_code, content, response.headers.get("Retry-After"), location)

    async def _refusal(self, response: "httpx2.Response") -> Refusal:
        content = b""
        with anyio.move_on_after(REFUSAL_SECONDS):
            content = await _read(response, MAX_REFUSAL_BYTES)
        return self._answer(response, content).refusal

    def _unreachable(self, method: str, path: str, why: str) -> RemoteUnreachableError:
        tried = f"{method} {self.base.of(path.partition('?')[0])} was tried, and {why}"
        return RemoteUnreachableError(self.base.root, tried)


def _tls_context(is_encrypted: bool) -> ssl.SSLContext:
    import httpx2

    # Without TLS nobody reads the certificates; the default would (50 ms).
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx2.create_ssl_context() if is_encrypted else bare


async def _read(response: "httpx2.Response", most_bytes: int) -> bytes:
    import httpx2

    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > most_bytes:
            raise httpx2.RemoteProtocolError("its answer has no end")
    return bytes(body)


def _failures() -> tuple[type[Exception], ...]:
    """Return what httpx2 raises: RuntimeError when its client is closed meanwhile."""
    import httpx2

    return httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, RuntimeError
