"""The end, however it is asked for: nothing new, what is under way ends or is kept, exit code 0."""

import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import LlamaMCP
from tests.support.http_process import ACCEPT, HttpServer, RawCaller, messages_of, serving
from tests.support.processes import PATIENCE_SECONDS, until
from tests.support.quick import first_quick

WHOLE = "The quick brown fox jumps over the lazy dog."
ASK = {"name": "chat", "arguments": {"message": "Go on"}}
pytestmark = pytest.mark.posix  # signals


async def begun_reply(caller: RawCaller, begun: anyio.Event, answers: list[Any]) -> None:
    """Ask for a reply, say when some of it has come, and keep how it was answered."""
    with suppress(httpx2.RemoteProtocolError):  # it may be cut off
        await _followed(caller, begun, answers)


async def _followed(caller: RawCaller, begun: anyio.Event, answers: list[Any]) -> None:
    async with caller.asked("tools/call", **ASK, _meta={"progressToken": 1}) as response:
        async for message in messages_of(response):
            if message.get("params", {}).get("message"):
                begun.set()
            elif "id" in message:
                answers.append(message)


async def ready_is(server: HttpServer, status: int) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        async with server.http() as http:
            while (await http.get(f"{server.url}/ready")).status_code != status:
                await anyio.sleep(0.02)


@pytest.mark.parametrize("number", first_quick(signal.SIGTERM, signal.SIGINT))
async def test_an_idle_server_ends_at_once_also_with_clients_connected_and_listening(
    llama_mcp: LlamaMCP, tmp_path: Path, number: signal.Signals
) -> None:
    async with serving(llama_mcp, tmp_path / "http") as server:
        legacy = RawCaller(server, "ann", "legacy")
        await legacy.hello()
        modern, last = RawCaller(server, "bob", "auto"), list[Any]()

        async def listen() -> None:
            wants = {"notifications": {"resourcesListChanged": True}}
            async with modern.asked("subscriptions/listen", **wants) as response:
                async for message in messages_of(response):
                    last[:] = [message]

        async def get() -> None:
            headers = {"Mcp-Session-Id": legacy.session_id or "", "Accept": ACCEPT}
            async with server.http("ann") as http:
                await http.get(server.mcp, headers=headers)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            tasks.start_soon(get)
            await until(lambda: bool(last), "the listener is acknowledged")
            server.process.send_signal(number)
            assert await server.exit_code() == 0
        # The specification's graceful end: the listener gets its result.
        assert "result" in last[-1]
        assert "Traceback" not in server.told()


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_while_it_ends_replies_go_on_and_nothing_new_is_taken(
    llama_mcp: LlamaMCP, fake_folder: Path, tmp_path: Path, era: str
) -> None:
    fake = install_fake(fake_folder, hold_at_token=3)
    patient = ("--grace", "600")
    async with serving(
        llama_mcp.having(LLAMA_CPP_PATH=str(fake)), tmp_path / "http", ["ann", "bob"], *patient
    ) as server:
        ann, bob = RawCaller(server, "ann", era), RawCaller(server, "bob", era)
        await ann.hello()
        await bob.hello()
        begun, answers = anyio.Event(), list[Any]()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(begun_reply, ann, begun, answers)
            await begun.wait()
            server.process.terminate()
            await ready_is(server, 503)
            async with bob.asked("tools/call", **ASK) as refused:
                if era == "auto":
                    assert refused.status_code == 503 and refused.headers["retry-after"] == "15"
                assert b"again in 15 seconds" in await refused.aread()
            async with server.http() as http:
                assert (await http.get(f"{server.url}/health")).status_code == 200
            set_faults(fake_folder)
            assert await server.exit_code() == 0
        (answer,) = answers
        assert answer["result"]["structuredContent"]["reply"] == WHOLE


async def test_a_reply_that_outlasts_the_grace_is_kept_and_goes_on_without_the_server(
    llama_mcp: LlamaMCP, fake_folder: Path, tmp_path: Path
) -> None:
    fake = install_fake(fake_folder, hold_at_token=3)
    command = llama_mcp.having(LLAMA_CPP_PATH=str(fake), LINGER_SECONDS="60")
    async with serving(command, tmp_path / "http", ["ann"], "--grace", "0.5") as server:
        begun, answers = anyio.Event(), list[Any]()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(begun_reply, RawCaller(server, "ann", "auto"), begun, answers)
            await begun.wait()
            server.process.terminate()
            assert await server.exit_code() == 0
            tasks.cancel_scope.cancel()
        assert "Traceback" not in server.told()
    async with serving(command, tmp_path / "http2", ["ann"]) as server, server.connect("ann") as it:
        session_id = (await it.call("list_sessions"))["sessions"][0]["session_id"]
        part = await it.call("wait_for_reply", session_id=session_id, wait_seconds=0)
        assert part["status"] in ("in_progress", "interrupted"), part
        assert part["reply"].startswith("The quick brown")
        await it.call("stop_llama_server", force=True)


async def test_asked_a_second_time_it_ends_at_once(
    llama_mcp: LlamaMCP, fake_folder: Path, tmp_path: Path
) -> None:
    fake = install_fake(fake_folder, hold_at_token=3)
    patient = ("--grace", "600")
    async with serving(
        llama_mcp.having(LLAMA_CPP_PATH=str(fake)), tmp_path / "http", ["ann"], *patient
    ) as server:
        begun, answers = anyio.Event(), list[Any]()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(begun_reply, RawCaller(server, "ann", "auto"), begun, answers)
            await begun.wait()
            server.process.terminate()
            await ready_is(server, 503)
            server.process.terminate()
            assert await server.exit_code() == 1
            tasks.cancel_scope.cancel()
