"""Requests that are wrong are answered as such; none leaves a traceback, or its text in the log."""

import json
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from tests.support.http_process import ACCEPT, HttpServer, RawCaller
from tests.support.processes import PATIENCE_SECONDS
from tests.support.wire import MODERN

SECRET = "pears-and-quinces"


def bodies() -> list[bytes]:
    """Return bodies that no request should have."""
    call: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    return [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"' + SECRET.encode() + b'"',
        b"\xff\xfe" + SECRET.encode(),
        b"[" * 100_000,
        b'{"a":' * 10_000,
        json.dumps([call, call]).encode(),
        json.dumps({**call, "id": None, "params": {"name": SECRET}}).encode(),
        json.dumps({**call, "id": 1.5, "params": {"name": SECRET}}).encode(),
        json.dumps({**call, "params": [SECRET]}).encode(),
        json.dumps({**call, "params": {"name": SECRET, "arguments": SECRET}}).encode(),
        json.dumps(
            {**call, "params": {"name": "chat", "arguments": {"message": [SECRET]}}}
        ).encode(),
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"\\ud800'
        + SECRET.encode()
        + b'"}}',
        b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"ping"}',
        json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"x": SECRET}}).encode(),
        json.dumps({"jsonrpc": "2.0", "method": SECRET}).encode(),
    ]


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_wrong_bodies_are_answered_and_the_server_goes_on(
    shared_server: HttpServer, era: str
) -> None:
    caller = RawCaller(shared_server, "ann", era)
    await caller.hello()
    headers = caller.headers({"method": "tools/call", "params": {"name": "chat"}})
    for body in bodies():
        for kind in ("application/json", "text/plain", ""):
            async with shared_server.http("ann") as http:
                given = headers | {"Content-Type": kind}
                answer = await http.post(shared_server.mcp, content=body, headers=given)
            assert answer.status_code < 500, (body[:80], answer.status_code, answer.text)
    for method in ("PUT", "PATCH", "HEAD", "OPTIONS", "TRACE"):
        async with shared_server.http("ann") as http:
            answer = await http.request(method, shared_server.mcp, headers=headers)
        assert answer.status_code in (400, 405, 406), (method, answer.status_code)
    assert "result" in await caller.answer("tools/list")
    assert "Traceback" not in shared_server.told() and SECRET not in shared_server.told()


@pytest.mark.parametrize("version", ["2099-01-01", MODERN, "2025-11-25", "\u00e4", "x" * 1000])
async def test_any_version_and_session_in_headers_is_answered(
    shared_server: HttpServer, version: str
) -> None:
    async with shared_server.http("ann") as http:
        for session in ("", "x", "x" * 1000, "\u00e4"):
            given = [
                (b"MCP-Protocol-Version", version.encode("latin-1")),
                (b"Mcp-Session-Id", session.encode("latin-1")),
                (b"Accept", ACCEPT.encode()),
                (b"Content-Type", b"application/json"),
            ]
            message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
            answer = await http.post(shared_server.mcp, json=message, headers=given)
            assert 400 <= answer.status_code < 500
    assert "Traceback" not in shared_server.told()


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS client
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00" * 100,
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        b"Authorization: Bearer TOKEN\r\n\r\nzz\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n"
        b"Authorization: Bearer TOKEN\r\nContent-Length: 0\r\n\r\n",
        b"GET http://evil.example/mcp HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer TOKEN\r\nContent-Length: 50\r\n\r\n{",
    ],
)
async def test_what_is_no_request_ends_its_connection_only(
    shared_server: HttpServer, raw: bytes
) -> None:
    host, port = shared_server.url.removeprefix("http://").split(":")
    token = shared_server.tokens["ann"].encode()
    stream: SocketStream
    async with await anyio.connect_tcp(host, int(port)) as stream:
        with anyio.fail_after(PATIENCE_SECONDS):
            await stream.send(raw.replace(b"TOKEN", token))
            await stream.send_eof()
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                received = b""
                while True:
                    received += await stream.receive()
    assert b" 200 " not in received.split(b"\r\n")[0]
    async with shared_server.http() as http:
        assert (await http.get(f"{shared_server.url}/health")).status_code == 200
    assert "Traceback" not in shared_server.told()
    assert token.decode() not in shared_server.told()
