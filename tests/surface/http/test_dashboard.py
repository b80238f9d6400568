"""The dashboard's page as the person whose machine this is gets it, and as nobody else does."""

import asyncio
import json
import re
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import anyio
import httpx2
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.types import Receive, Scope, Send

from llama_mcp.dashboard.assemble import content_security_policy
from llama_mcp.surface.http.address import Address, listening_at
from llama_mcp.surface.http.app import HttpApp
from llama_mcp.surface.http.page import OneKey, door_to
from llama_mcp.surface.http.serving import listener_for, serve_until_cancelled
from tests.support.client_process import Connection, LlamaMCP, text_of
from tests.support.processes import PATIENCE_SECONDS, until

MAX_LINE_BYTES = 4096
# As llama-mcp finds a browser (webbrowser in the standard library): a program that notes where to.
BROWSER = """#!/bin/sh
printf '%s\\n' "$1" >> {noted}
cat "$(printf '%s' "$1" | sed 's,^file://,,')" >> {door}
"""


@dataclass
class Shown:
    """A process that shows the page."""

    process: Process
    url: str
    key: str

    def http(self, **headers: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self.url, headers=headers, timeout=PATIENCE_SECONDS, trust_env=False
        )

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        bearer = {"Authorization": f"Bearer {self.key}"}
        async with (
            self.http(**bearer) as http,
            Client(streamable_http_client(f"{self.url}/mcp", http_client=http)) as client,
        ):
            yield Connection(client)


def environment(llama_mcp: LlamaMCP, **more: str) -> dict[str, str] | None:
    if sys.platform == "win32":
        return None
    home = str(llama_mcp.home.parent / "user-home")
    return {"PATH": "/usr/bin:/bin", "HOME": home} | llama_mcp.environment | more


@asynccontextmanager
async def showing(
    llama_mcp: LlamaMCP, *arguments: str, cwd: Path | None = None, **more: str
) -> AsyncIterator[Shown]:
    process = await anyio.open_process(
        [*llama_mcp.command, "dashboard", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=None,
        cwd=cwd,
        env=environment(llama_mcp, **more),
    )
    assert process.stdout is not None
    try:
        async with process:
            with anyio.fail_after(PATIENCE_SECONDS):
                lines = BufferedByteReceiveStream(process.stdout)
                address = (await lines.receive_until(b"\n", MAX_LINE_BYTES)).decode().strip()
            url, _, key = address.partition("/#key=")
            yield Shown(process, url, key)
            if process.returncode is None:
                process.kill()
    finally:
        if process.returncode is None:
            process.kill()


@pytest.fixture
async def shown(llama_mcp: LlamaMCP) -> AsyncIterator[Shown]:
    async with showing(llama_mcp, "--no-browser") as shown:
        yield shown


async def test_the_page_is_for_everybody_holds_nothing_and_may_do_nothing_else(
    shown: Shown,
) -> None:
    async with shown.http() as http:
        page = await http.get("/")
    assert page.status_code == 200 and 'data-link="http"' in page.text
    assert shown.key not in page.text and len(shown.key) >= 43  # 256 bits
    assert page.headers["content-security-policy"] == content_security_policy()
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in page.headers and "set-cookie" not in page.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer KEY", "Host": "elsewhere.example"}, 421),
        ({"Authorization": "Bearer KEY", "Origin": "https://elsewhere.example"}, 403),
        ({"Authorization": "Bearer KEY", "Origin": "null"}, 403),
        ({"Cookie": "key=KEY"}, 401),
    ],
)
async def test_without_the_key_or_from_elsewhere_nothing_is_told(
    shown: Shown, headers: dict[str, str], status: int
) -> None:
    given = {name: value.replace("KEY", shown.key) for name, value in headers.items()}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    async with shown.http(**given) as http:
        answer = await http.post("/mcp", json=call)
        by_address = await http.post(f"/mcp?key={shown.key}", json=call)
    assert answer.status_code == status
    assert by_address.status_code == status


async def test_a_foreign_page_is_given_no_leave_by_preflight(shown: Shown) -> None:
    asks = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    async with shown.http(**asks) as http:
        answer = await http.options("/mcp")
    assert answer.status_code in (401, 403)
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_a_look_tells_what_goes_on_and_the_next_one_what_came_since(shown: Shown) -> None:
    async with shown.connect() as connection:
        first = await connection.call("dashboard_snapshot")
        assert first["status"]["state"] == "stopped" and "ended" not in first
        reply = await connection.call("chat", message="Hello", max_tokens=4)
        second = await connection.call("dashboard_snapshot", since_utc=first["at_utc"])
        third = await connection.call("dashboard_snapshot", since_utc=second["at_utc"])
    assert second["status"]["state"] == "ready" and second["metrics"]["slots"]
    (ended,) = second["ended"]
    assert ended["session_id"] == reply["session_id"] and ended["status"] == "complete"
    assert ended["completion_tokens"] == 4 and ended["owner"] == "local"
    assert second["samples"] and "ended" not in third


async def test_the_checks_are_those_of_doctor_whatever_lies_in_the_working_folder(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    (project / "llama_mcp").mkdir(parents=True)
    (project / "llama_mcp" / "__main__.py").write_text("raise SystemExit(7)")
    async with (
        showing(llama_mcp, "--no-browser", cwd=project) as shown,
        shown.connect() as connection,
    ):
        checks = await connection.call("dashboard_checks")
    topics = {finding["topic"] for finding in checks["findings"]}
    assert len(topics) > 5 and {finding["level"] for finding in checks["findings"]} >= {"ok"}


@pytest.mark.posix
async def test_ctrl_c_ends_it_and_leaves_nothing(llama_mcp: LlamaMCP) -> None:
    async with showing(llama_mcp, "--no-browser") as shown:
        async with shown.connect() as connection:
            await connection.call("start_llama_server")
        shown.process.terminate()
        with anyio.fail_after(PATIENCE_SECONDS):
            assert await shown.process.wait() == 0


@pytest.mark.posix
async def test_the_browser_is_sent_through_a_door_that_only_its_owner_can_read(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    noted, door = tmp_path / "noted", tmp_path / "door"
    async with showing(llama_mcp, BROWSER=str(browser_in(tmp_path, noted, door))) as shown:
        await until(lambda: door.exists() and "url=" in door.read_text(), "a browser opens")
        address = noted.read_text().strip()
        assert address.startswith("file://") and shown.key not in address
        (leads_to,) = re.findall(r"url=([^\"]+)", door.read_text())
        assert leads_to == f"{shown.url}/#key={shown.key}"
        shown.process.terminate()
        with anyio.fail_after(PATIENCE_SECONDS):
            assert await shown.process.wait() == 0
    assert not list(llama_mcp.home.rglob("dashboard-*.html"))


def browser_in(folder: Path, noted: Path, door: Path) -> Path:
    program = folder / "browser"
    program.write_text(BROWSER.format(noted=noted, door=door))
    program.chmod(0o755)
    return program


@pytest.mark.posix
def test_the_door_is_a_new_file_of_ours_alone(tmp_path: Path) -> None:
    with door_to("http://127.0.0.1:1/#key=secret", tmp_path / "state") as address:
        (door,) = (tmp_path / "state").iterdir()
        assert door.as_uri() == address and "secret" not in address
        assert stat.S_IMODE(door.stat().st_mode) == 0o600
        assert stat.S_IMODE(door.parent.stat().st_mode) == 0o700
    assert not door.exists()


def test_a_key_is_fresh_and_no_other_text_passes_for_it() -> None:
    key, other = OneKey(), OneKey()
    assert key.text != other.text
    assert key.caller_of(key.text) is not None
    for wrong in ("", other.text, key.text[:-1], f"{key.text} ", "é", "\udcff"):
        assert key.caller_of(wrong) is None


@pytest.mark.posix
async def test_a_client_over_stdio_that_shows_no_page_has_it_opened_in_the_browser(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    noted, door = tmp_path / "noted", tmp_path / "door"
    browser = str(browser_in(tmp_path, noted, door))
    with_browser = LlamaMCP(llama_mcp.home, llama_mcp.variables | {"BROWSER": browser})
    async with with_browser.connect() as connection:
        session = await have_session_of(connection)
        shown = await connection.call("open_dashboard")
        assert "key" not in json.dumps(shown)
        await until(lambda: door.exists() and "url=" in door.read_text(), "a browser opens")
        (address,) = re.findall(r"url=([^\"]+)", door.read_text())
        url, _, key = address.partition("/#key=")
        assert f"open in the user's browser, at {url}/." in shown["message"]
        again = await connection.call("open_dashboard")
        assert again == shown
        async with Shown(None, url, key).connect() as page:  # type: ignore[arg-type]  # it has none
            listed = await page.call("list_sessions")
            assert [each["session_id"] for each in listed["sessions"]] == [session]
            seen = await page.call("dashboard_snapshot")
            assert seen["status"]["state"] == "ready"
    assert not list(llama_mcp.home.rglob("dashboard-*.html"))


@pytest.mark.posix
async def test_a_page_that_is_cancelled_leaves_no_socket_to_the_event_loop() -> None:
    async def answer(_scope: Scope, _receive: Receive, _send: Send) -> None:
        answering.set()
        await anyio.sleep_forever()

    answering, loop = anyio.Event(), asyncio.get_running_loop()
    listener = listener_for(cast(HttpApp, answer))
    with listening_at(Address("127.0.0.1", 0)) as bound:
        number = bound.fileno()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve_until_cancelled, listener, bound)
            async with await anyio.connect_tcp("127.0.0.1", bound.getsockname()[1]) as stream:
                await stream.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await answering.wait()
                tasks.cancel_scope.cancel()
        assert not loop.remove_reader(number), "the next file of that number would be taken for it"
    await until(lambda: not listener.server_state.tasks, "no request is left without an owner")


async def have_session_of(connection: Connection) -> str:
    reply = await connection.call("chat", message="Hello", max_tokens=2)
    session_id: str = reply["session_id"]
    return session_id


async def test_without_a_browser_the_user_is_told_the_command(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    # Programs that open pages are looked for on PATH.
    without = LlamaMCP(llama_mcp.home, llama_mcp.variables | {"PATH": str(tmp_path)})
    async with without.connect() as connection:
        result = await connection.result("open_dashboard")
    assert "`llama-mcp dashboard`" in text_of(result)
    assert result.structured_content == {"message": text_of(result)}
