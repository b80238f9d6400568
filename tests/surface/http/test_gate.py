"""Who is let in, and what those are told who are not: nothing of what is behind the gate."""

import json
from typing import Any

import anyio
import httpx2
import pytest

from llama_mcp.surface.http.app import SESSIONS_OF_ONE_CALLER
from llama_mcp.surface.http.gate import MOST_OF_ONE_CALLER
from tests.support.http_process import ACCEPT, HttpServer, RawCaller
from tests.support.processes import PATIENCE_SECONDS, until
from tests.support.raw_client import INITIALIZE

INITIALIZING = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}
POST = {"Accept": ACCEPT, "Content-Type": "application/json"}
# More than a body may have.
TOO_MANY_BYTES = 16 * 1024 * 1024 + 1


async def posted(
    server: HttpServer, name: str | None = "ann", path: str = "/mcp", **headers: str
) -> httpx2.Response:
    async with server.http(name) as http:
        return await http.post(f"{server.url}{path}", json=INITIALIZING, headers=POST | headers)


async def test_a_token_lets_in(shared_server: HttpServer) -> None:
    assert (await posted(shared_server)).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        None,
        "Bearer",
        "Bearer wrong",
        "Basic YW5uOmFubg==",
        "Bearer " + "a" * 10_000,
        "Bearer \u00e4",
    ],
)
async def test_without_a_good_token_only_that_one_is_needed_is_told(
    shared_server: HttpServer, given: str | None
) -> None:
    headers = [(name.encode(), value.encode()) for name, value in POST.items()]
    headers += [] if given is None else [(b"Authorization", given.encode())]
    async with shared_server.http() as http:
        answer = await http.post(
            shared_server.mcp,
            json=INITIALIZING,
            headers=headers,
        )
    assert answer.status_code == 401
    # A client that is pointed to metadata begins OAuth and forgets the token it was given.
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {"error": "a token is needed"}


async def test_a_token_counts_in_its_header_only(shared_server: HttpServer) -> None:
    token = shared_server.tokens["ann"]
    for path in (f"/mcp?token={token}", f"/mcp?access_token={token}"):
        assert (await posted(shared_server, None, path)).status_code == 401
    async with shared_server.http() as http:
        twice = [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer wrong")]
        answer = await http.post(
            shared_server.mcp, json=INITIALIZING, headers=[*POST.items(), *twice]
        )
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/register",
        "/",
        "/mcp/",
        "/docs",
    ],
)
async def test_there_is_nothing_else_and_no_metadata_of_oauth(
    shared_server: HttpServer, path: str
) -> None:
    for name in (None, "ann"):
        async with shared_server.http(name) as http:
            assert (await http.get(f"{shared_server.url}{path}")).status_code in (404, 401)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example"])
async def test_another_host_is_misdirected_even_with_a_token(
    shared_server: HttpServer, host: str
) -> None:
    assert (await posted(shared_server, Host=host)).status_code == 421


async def test_names_of_this_machine_are_served_on_loopback(shared_server: HttpServer) -> None:
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8765"):
        assert (await posted(shared_server, Host=host)).status_code == 200, host


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:1", "file://", "http://127.0.0.1"]
)
async def test_a_page_of_elsewhere_may_not_call_even_with_a_token(
    shared_server: HttpServer, origin: str
) -> None:
    assert (await posted(shared_server, Origin=origin)).status_code == 403


async def test_a_page_that_we_served_may_call(shared_server: HttpServer) -> None:
    assert (await posted(shared_server, Origin=shared_server.url)).status_code == 200


async def test_health_and_readiness_are_told_to_anybody_by_any_name_in_one_word(
    shared_server: HttpServer,
) -> None:
    async with shared_server.http() as http:
        for path, word in (("/health", "ok"), ("/ready", "ready")):
            answer = await http.get(f"{shared_server.url}{path}", headers={"Host": "10.0.0.7"})
            assert (answer.status_code, answer.json()) == (200, {"status": word})
            assert (await http.post(f"{shared_server.url}{path}")).status_code == 405


async def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(
    shared_server: HttpServer,
) -> None:
    async def pieces() -> Any:
        for _ in range(TOO_MANY_BYTES // 2**20 + 1):
            yield b" " * 2**20

    for content in (pieces(), b" " * TOO_MANY_BYTES):
        async with shared_server.http("ann") as http:
            answer = await http.post(shared_server.mcp, content=content, headers=POST)
            assert answer.status_code == 413


async def test_a_session_is_nothing_to_anybody_but_its_caller(shared_server: HttpServer) -> None:
    ann = RawCaller(shared_server, "ann", "legacy")
    await ann.hello()
    bob = RawCaller(shared_server, "bob", "legacy", ann.session_id)
    for session_id in (ann.session_id, "0" * 32):
        bob.session_id = session_id
        async with bob.asked("ping") as answer:
            assert answer.status_code == 404
            assert json.loads(await answer.aread())["error"]["message"] == "Session not found"
        async with shared_server.http("bob") as http:
            headers = {"Mcp-Session-Id": session_id or "", "Accept": ACCEPT}
            assert (await http.delete(shared_server.mcp, headers=headers)).status_code == 404
            assert (await http.get(shared_server.mcp, headers=headers)).status_code == 404
    assert (await ann.answer("ping"))["result"] == {}


async def test_many_clients_of_two_people_call_side_by_side(shared_server: HttpServer) -> None:
    async def ask(name: str, era: str) -> None:
        async with shared_server.connect(name, era) as it:
            for _ in range(5):
                assert (await it.call("status"))["state"] == "stopped"

    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(
                    ask, "ann" if number % 2 else "bob", "auto" if number % 4 else "legacy"
                )


async def test_one_caller_cannot_take_all_connections_or_sessions(
    shared_server: HttpServer,
) -> None:
    listener = RawCaller(shared_server, "cid", "auto")
    wants = {"notifications": {"resourcesListChanged": True}}
    statuses: list[int] = []

    async def listen() -> None:
        async with listener.asked("subscriptions/listen", **wants) as response:
            statuses.append(response.status_code)
            await response.aread()

    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            for _ in range(MOST_OF_ONE_CALLER + 3):
                tasks.start_soon(listen)
            await until(lambda: statuses.count(429) >= 3, "cid has as many as he may")
            assert (await posted(shared_server)).status_code == 200
            tasks.cancel_scope.cancel()
        # As long as the server has not noticed that the listeners are gone, it is the same answer.
        opened = 0
        while opened <= SESSIONS_OF_ONE_CALLER:
            answer = await posted(shared_server, "cid")
            opened += answer.status_code == 200
            if "sessions" in answer.text and answer.status_code == 429:
                break
        assert opened == SESSIONS_OF_ONE_CALLER
        assert (await posted(shared_server)).status_code == 200
