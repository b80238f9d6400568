"""However llama-mcp ends, nothing that it started stays, and no word is lost."""

import json
import os
import pty
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.fake_llama_server.install import install_fake
from tests.support.client_process import COMMAND, LlamaMCP
from tests.support.processes import (
    PATIENCE_SECONDS,
    has_llama_server,
    is_gone,
    processes_of,
    until,
    until_all_leave,
)
from tests.support.quick import first_quick
from tests.support.raw_client import INITIALIZE, RawClient, raw_client


async def start_model(client: RawClient) -> int:
    await client.hello()
    started = (await client.call("start_llama_server"))["structuredContent"]
    pid: int = started["pid"]
    return pid


async def begin_endless_reply(client: RawClient) -> None:
    await client.ask(
        "tools/call",
        name="chat",
        arguments={"message": "Go on and on"},
        _meta={"progressToken": "reply"},
    )
    while (await client.next()).get("params", {}).get("message") is None:
        pass


async def test_sigkill_of_llama_mcp_leaves_neither_keeper_nor_llama_server(
    llama_mcp: LlamaMCP,
) -> None:
    async with raw_client(llama_mcp) as client:
        pid = await start_model(client)
        keepers = [p for p in processes_of(llama_mcp.home) if "llama_mcp.keeper" in p.cmdline()]
        # On Linux the keeper has a guard.
        assert len(keepers) == (2 if sys.platform == "linux" else 1)
        client.process.send_signal(signal.Signals["SIGKILL"])
        assert await client.exit_code() == -signal.Signals["SIGKILL"]
        await until(lambda: is_gone(pid), "llama-server ends")
        await until_all_leave(llama_mcp.home, "the keeper ends")


async def test_sigkill_of_the_keeper_takes_llama_server_with_it_and_is_told(
    llama_mcp: LlamaMCP,
) -> None:
    async with raw_client(llama_mcp) as client:
        pid = await start_model(client)
        keeper = next(p for p in processes_of(llama_mcp.home) if "llama_mcp.keeper" in p.cmdline())
        keeper.kill()
        await until(lambda: is_gone(pid), "llama-server ends")
        status = (await client.call("status"))["structuredContent"]
        assert status["state"] == "crashed"
        assert "keeper" in status["last_exit"]["cause"]
        again = (await client.call("start_llama_server"))["structuredContent"]
        assert again["state"] == "ready"


@pytest.mark.parametrize("ending", first_quick("closed stdin", "SIGTERM", "SIGINT"))
async def test_an_ending_in_mid_reply_exits_with_0_and_keeps_what_was_received(
    llama_mcp: LlamaMCP, ending: str
) -> None:
    # What goes on instead: test_outliving.py.
    having = llama_mcp.having(CTX_SIZE="32768", PARALLEL="1", FINISH_SECONDS="0")
    async with raw_client(having) as client:
        pid = await start_model(client)
        await begin_endless_reply(client)
        if ending == "closed stdin":
            assert client.process.stdin is not None
            await client.process.stdin.aclose()
        else:
            client.process.send_signal(signal.Signals[ending])
        assert await client.exit_code() == 0
        await until(lambda: is_gone(pid), "llama-server ends")
    with closing(sqlite3.connect(llama_mcp.home / "sessions.db")) as archive, archive:
        turns = archive.execute("SELECT status, message, length(reply) FROM turns").fetchall()
    archive.close()
    (status, message, characters), *others = turns
    assert not others
    assert (status, message) == ("interrupted", "Go on and on")
    assert characters > 0


async def test_an_idle_llama_mcp_ends_with_0_and_has_opened_nothing(llama_mcp: LlamaMCP) -> None:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        await client.answer(await client.ask("tools/list"))
        assert client.process.stdin is not None
        await client.process.stdin.aclose()
        assert await client.exit_code() == 0
    assert not llama_mcp.home.exists()


async def test_two_probes_that_are_ended_at_once_disturb_nobody(llama_mcp: LlamaMCP) -> None:
    async with raw_client(llama_mcp) as first, raw_client(llama_mcp) as second:
        await first.hello()
        await second.hello()
        first.process.terminate()
        assert await first.exit_code() == 0
        assert (await second.call("start_llama_server"))["structuredContent"]["state"] == "ready"


async def test_a_stray_print_and_a_bad_line_cannot_touch_the_wire(llama_mcp: LlamaMCP) -> None:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        await client.write(b"this is not JSON")
        refused = await client.next()
        assert refused["error"]["code"] == -32700
        await client.write(b'{"jsonrpc": "2.0", "id": 77, "method": 5}')
        assert (await client.answer(77))["error"]["code"] == -32700
        assert (await client.call("status"))["structuredContent"]["state"] == "stopped"


async def test_a_start_whose_caller_is_gone_leaves_no_llama_server(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, load_forever=True)
    async with raw_client(llama_mcp.having(LLAMA_CPP_PATH=str(fake))) as client:
        await client.hello()
        request = await client.ask("tools/call", name="start_llama_server", arguments={})
        await until(lambda: has_llama_server(fake_folder), "it is spawned")
        await client.notify("notifications/cancelled", requestId=request)
        await until_all_leave(fake_folder, "it is gone again")
        with anyio.fail_after(PATIENCE_SECONDS):  # its keeper has still to say so
            while (await client.call("status"))["structuredContent"]["state"] == "stopping":
                await anyio.sleep(0.02)
        status = (await client.call("status"))["structuredContent"]
        assert status["state"] == "stopped"


async def test_a_client_that_dies_with_both_pipes_is_no_error(llama_mcp: LlamaMCP) -> None:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        assert client.process.stdin is not None and client.process.stdout is not None
        await client.process.stdout.aclose()
        await client.process.stdin.aclose()
        assert await client.exit_code() == 0


async def test_ctrl_c_ends_it_on_a_terminal_too(llama_mcp: LlamaMCP) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such terminals")
    terminal, side = pty.openpty()
    variables = {"PATH": "/usr/bin:/bin"} | llama_mcp.environment
    process = await anyio.open_process([COMMAND], stdin=side, stdout=side, env=variables)
    os.close(side)
    try:
        request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}
        os.write(terminal, json.dumps(request).encode() + b"\n")
        # Its echo, then the answer: from then on it serves.
        heard = b""
        while b"serverInfo" not in heard:
            heard += await anyio.to_thread.run_sync(os.read, terminal, 65536)
        process.send_signal(signal.SIGINT)
        with anyio.fail_after(PATIENCE_SECONDS):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        os.close(terminal)
