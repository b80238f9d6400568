"""Requests over HTTP that nobody should send, as bytes, drawn by chance."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.raw_client import ENVELOPE
from tests.support.wire import MODERN

ACCEPT = "application/json, text/event-stream"
NEVER = "zzzz-zzzz-zzzz"
TOO_LONG = 16 * 1024 * 1024 + 1
Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Target:
    """What somebody with bad intentions may know: a token of his own, and ids of another's."""

    host: str
    token: str
    another_session: str
    another_mcp_session: str


@dataclass(frozen=True)
class HostileRequest:
    """One request: what it tries, and its bytes."""

    kind: str
    data: bytes
    is_cut: bool = False
    """Whether the connection is closed before anything is read."""


def message(method: str, **params: Any) -> dict[str, Any]:
    meta = {"_meta": ENVELOPE}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, **meta}}


LIST = message("tools/list")


def headers_of(target: Target, asked: dict[str, Any] | None = None) -> Headers:
    """Return the headers of a good request."""
    asked = asked or LIST
    named = asked["params"].get("name") or asked["params"].get("uri")
    return [
        ("Host", target.host),
        ("Authorization", f"Bearer {target.token}"),
        ("Accept", ACCEPT),
        ("Content-Type", "application/json"),
        ("MCP-Protocol-Version", MODERN),
        ("Mcp-Method", asked["method"]),
        *([("Mcp-Name", named)] if isinstance(named, str) else []),
    ]


def request(
    headers: Headers, body: bytes | None = None, line: str = "POST /mcp HTTP/1.1", length: str = ""
) -> bytes:
    body = json.dumps(LIST).encode() if body is None else body
    if length != "none":
        headers = [*headers, ("Content-Length", length or str(len(body)))]
    lines = [line, *(f"{name}: {value}" for name, value in headers), "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + body


def having(headers: Headers, name: str, *values: str) -> Headers:
    """Return the headers with other values of that name, none or several of them."""
    rest = [header for header in headers if header[0] != name]
    return [*rest, *((name, value) for value in values)]


def _token(target: Target, chance: random.Random) -> HostileRequest:
    good = target.token
    values = chance.choice(
        [
            (),
            ("",),
            ("Bearer",),
            ("Bearer ",),
            (good,),
            (f"Basic {good}",),
            (f"Bearer {good[:-1]}",),
            (f"Bearer {good}x",),
            (f"Bearer {good.swapcase()}",),
            (f"Bearer {good},{good}",),
            (f"Bearer {good}\t{good}",),
            (f"Bearer {good}", "Bearer wrong"),
            ("Bearer wrong", f"Bearer {good}"),
            ("Bearer " + "a" * chance.randrange(1, 20_000),),
            ("Bearer " + "".join(chr(chance.randrange(33, 255)) for _ in range(40)),),
            ("Bearer ../../tokens.toml",),
            ("Bearer ' OR 1=1 --",),
            ("Bearer null",),
        ]
    )
    return HostileRequest("token", request(having(headers_of(target), "Authorization", *values)))


def _host(target: Target, chance: random.Random) -> HostileRequest:
    good = target.host
    values = chance.choice(
        [
            (),
            ("evil.example",),
            (f"evil.example:{good.rpartition(':')[2]}",),
            (f"{good}.evil.example",),
            (f"user@{good}",),
            (f"{good}/evil.example",),
            (f"{good}#",),
            ("127.0.0.1:99999999",),
            ("0.0.0.0",),
            ("169.254.169.254",),
            ("[::ffff:127.0.0.1]",),
            ("localhost.evil.example",),
            ("",),
        ]
    )
    return HostileRequest("host", request(having(headers_of(target), "Host", *values)))


def _origin(target: Target, chance: random.Random) -> HostileRequest:
    origin = chance.choice(
        [
            *(
                "null",
                "https://evil.example",
                "http://127.0.0.1:1",
                "file://",
                "chrome-extension://x",
            ),
            *(f"http://{target.host}.evil.example", f"http://{target.host}@evil.example", "*"),
        ]
    )
    return HostileRequest("origin", request([*headers_of(target), ("Origin", origin)]))


def _path(target: Target, chance: random.Random) -> HostileRequest:
    path = chance.choice(
        [
            *("/", "/mcp/", "//mcp", "/mcp/..", "/../mcp", "/MCP", "/mcp%2f", "/mcp/%2e%2e/mcp"),
            *("/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource"),
            *("/register", "/authorize", "/token", "/admin", "/tokens.toml", "/sessions.db"),
            *("/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/health/", "/ready/x"),
            *(
                "/static/..%5c..%5cwindows",
                "/mcp;x",
                "*",
                "mcp",
                "/" + "a" * chance.randrange(60_000),
            ),
            *("http://evil.example/", "/\x01", "/%00", "/metrics", "/docs", "/openapi.json"),
        ]
    )
    return HostileRequest("path", request(headers_of(target), line=f"POST {path} HTTP/1.1"))


def _method(target: Target, chance: random.Random) -> HostileRequest:
    method = chance.choice(
        [
            *("PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "BREW", "G\x00T", "post"),
            "GET",
        ]
    )
    return HostileRequest("method", request(headers_of(target), line=f"{method} /mcp HTTP/1.1"))


def _session(target: Target, chance: random.Random) -> HostileRequest:
    """Somebody else's session of the protocol."""
    headers = having(headers_of(target), "MCP-Protocol-Version", "2025-11-25")
    theirs = chance.choice(
        [target.another_mcp_session, target.another_mcp_session.upper(), "0" * 32]
    )
    headers.append(("Mcp-Session-Id", theirs))
    line = chance.choice(["POST /mcp HTTP/1.1", "GET /mcp HTTP/1.1", "DELETE /mcp HTTP/1.1"])
    return HostileRequest("mcp session", request(headers, line=line))


def _ids(target: Target, chance: random.Random) -> HostileRequest:
    """Somebody else's conversation, by every tool that takes one."""
    session_id = chance.choice(
        [
            target.another_session,
            target.another_session.upper(),
            f"{target.another_session} ",
            NEVER,
        ]
    )
    calls: list[dict[str, Any]] = [
        {"name": "read_session", "arguments": {"session_id": session_id}},
        {"name": "chat", "arguments": {"session_id": session_id, "message": "whose?"}},
        {"name": "wait_for_reply", "arguments": {"session_id": session_id, "wait_seconds": 0}},
        {"name": "cancel_reply", "arguments": {"session_id": session_id}},
        {"name": "fork_session", "arguments": {"session_id": session_id}},
        {"name": "delete_session", "arguments": {"session_id": session_id}},
        {"name": "update_session", "arguments": {"session_id": session_id, "title": "mine"}},
        {"name": "start_llama_server", "arguments": {"llama_cpp_path": "/bin/sh"}},
        {"name": "start_llama_server", "arguments": {"model_path": "/etc/passwd"}},
        {"name": "chat", "arguments": {"message": "x", "files": ["/etc/passwd"]}},
        {"name": "run_on_files", "arguments": {"files": ["/etc/passwd"], "instruction": "x"}},
        {"name": "server_log", "arguments": {}},
    ]
    uris = [
        *(f"llama://sessions/{session_id}", f"llama://sessions/{session_id}.json"),
        *("llama://server/log", "file:///etc/passwd", "llama://sessions/../../etc/passwd"),
    ]
    asked = (
        message("tools/call", **chance.choice(calls))
        if chance.random() < 0.7
        else message("resources/read", uri=chance.choice(uris))
    )
    return HostileRequest("ids", request(headers_of(target, asked), json.dumps(asked).encode()))


def _size(target: Target, chance: random.Random) -> HostileRequest:
    headers = headers_of(target)
    length = chance.choice([str(TOO_LONG), "9" * 30, "-1", "+5", "0x10", "1e3", "5, 5", "five"])
    if chance.random() < 0.3:
        return HostileRequest("size", request(headers, b"{", length=str(TOO_LONG - 2)), is_cut=True)
    if chance.random() < 0.3:
        headers = [*headers, ("X-Long", "a" * chance.randrange(400_000, 600_000))]
        return HostileRequest("size", request(headers))
    return HostileRequest("size", request(headers, length=length))


def _json(target: Target, chance: random.Random) -> HostileRequest:
    whole = json.dumps(LIST).encode()
    place = chance.randrange(len(whole))
    body = chance.choice(
        [
            whole[:place],
            whole[:place] + bytes([chance.randrange(256)]) + whole[place:] + b"]",
            b"[" * chance.randrange(1, 50_000),
            b"[" + whole + b"," + whole + b"]",
            b"\xff\xfe" + whole,
            b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"tools/list"}',
            b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}',
            b'{"jsonrpc":"2.0","id":null,"method":"tools/list","params":{}}',
            b'{"jsonrpc":"1.0","id":1,"method":"tools/list","params":{}}',
            json.dumps({**LIST, "params": {}}).encode(),
            json.dumps({**LIST, "method": "initialize"}).encode(),
            json.dumps({"jsonrpc": "2.0", "id": 1, "result": {}}).encode(),
            bytes(chance.randrange(256) for _ in range(200)),
            b"",
        ]
    )
    return HostileRequest("json", request(headers_of(target), body))


def _headers(target: Target, chance: random.Random) -> HostileRequest:
    good = headers_of(target)
    smuggled = b"0\r\n\r\nGET /mcp HTTP/1.1\r\nHost: " + target.host.encode() + b"\r\n\r\n"
    games: list[Callable[[], bytes]] = [
        lambda: request([*good, ("Transfer-Encoding", "chunked")], smuggled),
        lambda: request([*good, ("Transfer-Encoding", "chunked")], b"zz\r\n", length="none"),
        lambda: request([*good, ("Transfer-Encoding", "xchunked")], smuggled),
        lambda: request([*good, ("Content-Length", "1")]),
        lambda: request(having(good, "Mcp-Method", "tools/call")),
        lambda: request(having(good, "Mcp-Method", "tools/list", "tools/list")),
        lambda: request(having(good, "Mcp-Method")),
        lambda: request(having(good, "MCP-Protocol-Version", "9999-99-99")),
        lambda: request(having(good, "MCP-Protocol-Version", MODERN, "2025-11-25")),
        lambda: request(having(good, "Accept", "text/html")),
        lambda: request(having(good, "Accept")),
        lambda: request([*good, ("X\x00Y", "z")]),
        lambda: request([*good, ("X", "a\x00b")]),
        lambda: request([*good, (" X", "folded")]),
        lambda: request([("no colon", ""), *good]),
        lambda: bytes(chance.randrange(256) for _ in range(300)) + b"\r\n\r\n",
        lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 300 + b"\r\n\r\n",
        lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
    return HostileRequest("headers", chance.choice(games)())


KINDS = (_token, _host, _origin, _path, _method, _session, _ids, _size, _json, _headers)


def hostile_requests(target: Target, count: int, seed: int) -> list[HostileRequest]:
    """Return so many requests, as many of each kind."""
    chance = random.Random(seed)
    return [KINDS[number % len(KINDS)](target, chance) for number in range(count)]
