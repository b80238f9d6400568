"""The wire itself: what cannot touch it, and descriptors that no event loop can wait for."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.support import stray_writer_program
from tests.support.client_process import LlamaMCP
from tests.support.processes import PATIENCE_SECONDS, until, until_all_leave
from tests.support.quick import first_quick
from tests.support.raw_client import INITIALIZE, RawClient

COMMAND = [sys.executable, "-P", "-m", "llama_mcp"]
# Windows has none of these signals; test_stdio_threads.py shows what it has instead.
ENDINGS = ["closed stdin"] if sys.platform == "win32" else ["closed stdin", "SIGTERM", "SIGINT"]
# What a Python of each platform needs to start.
INHERITED = ("PATH", "HOME", "USERPROFILE", "SYSTEMROOT")


@asynccontextmanager
async def running(command: list[str], **options: Any) -> AsyncIterator[Process]:
    """Start a program; it is killed at the end if it still lives."""
    process = await anyio.open_process(command, **options)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.aclose()


def request(number: int, method: str, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(message).encode() + b"\n"


async def test_neither_stray_prints_nor_children_touch_the_wire(tmp_path: Path) -> None:
    """And garbage is collected while it serves, but for what start-up has made."""
    noise = tmp_path / "stderr"
    with noise.open("wb") as stderr:
        command = [sys.executable, stray_writer_program.__file__]
        async with running(command, stdin=subprocess.PIPE, stderr=stderr) as process:
            assert process.stdin is not None and process.stdout is not None
            client = RawClient(process, BufferedByteReceiveStream(process.stdout))
            await client.hello()
            for _ in range(2):
                result = await client.call("misbehave")
                # The child saw the end of its stdin at once, and none of our next messages.
                assert result["content"][0]["text"] == "the child read 0 characters"
            collection = await client.call("collection")
            assert collection["content"][0]["text"] == "enabled: True, frozen: True"
            await process.stdin.aclose()
            # Whatever print() still held back is not sent at the end either.
            with anyio.fail_after(PATIENCE_SECONDS), pytest.raises(anyio.IncompleteRead):
                await client.lines.receive_until(b"\n", 65536)
            assert client.lines.buffer == b""
            assert await client.exit_code() == 0
    assert noise.read_text().count(stray_writer_program.STRAY) >= 6


async def test_stdin_and_stdout_may_be_files(llama_mcp: LlamaMCP, tmp_path: Path) -> None:
    """Neither can be waited for: a thread at each does it."""
    asked, answered = tmp_path / "asked", tmp_path / "answered"
    asked.write_bytes(request(1, "initialize", **INITIALIZE))
    with asked.open("rb") as stdin, answered.open("wb") as stdout:
        async with running(COMMAND, stdin=stdin, stdout=stdout, env=environment(llama_mcp)) as it:
            with anyio.fail_after(PATIENCE_SECONDS):
                assert await it.wait() == 0
    (answer,) = answers_in(answered)
    assert answer["result"]["serverInfo"]["name"] == "llama-mcp"
    assert not llama_mcp.home.exists()


@pytest.mark.parametrize("ending", first_quick(*ENDINGS))
async def test_an_ending_in_mid_reply_keeps_what_was_received_also_when_stdout_is_a_file(
    llama_mcp: LlamaMCP, tmp_path: Path, ending: str
) -> None:
    answered = tmp_path / "answered"
    with answered.open("wb") as stdout:
        having = llama_mcp.having(CTX_SIZE="4096", FINISH_SECONDS="0")
        options = {"stdin": subprocess.PIPE, "stdout": stdout, "env": environment(having)}
        async with running(COMMAND, **options) as process:
            assert process.stdin is not None
            await process.stdin.send(request(1, "initialize", **INITIALIZE))
            await until(lambda: len(answers_in(answered)) == 1, "it answers")
            arguments = {"name": "start_llama_server", "arguments": {}}
            await process.stdin.send(request(2, "tools/call", **arguments))
            await until(lambda: is_answered(answered, 2), "llama-server is ready")
            chat = {"name": "chat", "arguments": {"message": "Go on"}}
            meta = {"progressToken": "p"}
            await process.stdin.send(request(3, "tools/call", **chat, _meta=meta))
            await until(lambda: any(map(has_text, answers_in(answered))), "the reply begins")
            if ending == "closed stdin":
                await process.stdin.aclose()
            else:
                process.send_signal(signal.Signals[ending])
            with anyio.fail_after(PATIENCE_SECONDS):
                assert await process.wait() == 0
    await until_all_leave(llama_mcp.home, "llama-server ends")
    with closing(sqlite3.connect(llama_mcp.home / "sessions.db")) as archive, archive:
        ((status, characters),) = archive.execute("SELECT status, length(reply) FROM turns")
    archive.close()
    assert status == "interrupted" and characters > 0


async def test_without_a_client_it_ends_at_once(llama_mcp: LlamaMCP) -> None:
    done = await anyio.run_process(
        COMMAND, stdin=subprocess.DEVNULL, env=environment(llama_mcp), check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"Traceback" not in done.stderr


def environment(llama_mcp: LlamaMCP) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return inherited | llama_mcp.environment


def answers_in(path: Path) -> list[dict[str, Any]]:
    """Return every whole line of the file; each must be a JSON-RPC message."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


def is_answered(path: Path, number: int) -> bool:
    return any(answer.get("id") == number for answer in answers_in(path))


def has_text(message: dict[str, Any]) -> bool:
    """Tell whether it is progress that carries a piece of a reply."""
    return bool(message.get("params", {}).get("message"))
