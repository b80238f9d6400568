"""stderr is somebody else's pipe: full, broken, closed or slow, it holds nobody up."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from llama_mcp.surface.stdio.stderr import CAPACITY_BYTES, Backlog, LogFormatter
from tests.support.client_process import LlamaMCP
from tests.support.processes import PATIENCE_SECONDS
from tests.support.raw_client import RawClient, raw_client

LINE = b"x" * 1023 + b"\n"
MISSING = b"bytes are missing here: stderr took no more.\n"
# More than the buffer and two pipes hold.
LINES = 2 * CAPACITY_BYTES // len(LINE)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


def writing_out(backlog: Backlog) -> threading.Thread:
    thread = threading.Thread(target=backlog.write_out, daemon=True)
    thread.start()
    return thread


def test_what_a_slow_reader_gets_is_whole_lines_and_one_word_of_what_is_missing(
    pipe: tuple[int, int],
) -> None:
    backlog = Backlog(pipe[1])
    thread = writing_out(backlog)
    for _ in range(LINES):
        backlog.put(LINE)
    backlog.end()
    received = b""
    with os.fdopen(os.dup(pipe[0]), "rb") as reader:
        while len(received) < CAPACITY_BYTES or MISSING not in received:
            received += reader.read1()
    thread.join()
    os.close(pipe[1])
    lines = received.splitlines(keepends=True)
    (notice,) = [line for line in lines if line.endswith(MISSING)]
    assert set(lines) == {LINE, notice}
    missing = int(notice.split()[1])
    assert missing == (LINES - len(lines) + 1) * len(LINE)


def test_after_a_gap_it_goes_on_with_a_whole_line(pipe: tuple[int, int]) -> None:
    backlog = Backlog(pipe[1])
    backlog.put(b"kept, not en")
    backlog.put(b"x" * CAPACITY_BYTES)
    backlog.put(b"rest of it\nwhole\n")
    backlog.end()
    writing_out(backlog).join()
    os.close(pipe[1])
    first, notice, whole = os.read(pipe[0], 4096).splitlines(keepends=True)
    assert (first, whole) == (b"kept, not en\n", b"whole\n")
    assert notice.endswith(MISSING) and int(notice.split()[1]) == CAPACITY_BYTES + 11


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/full")
def test_a_full_disk_is_survived_and_told_of_when_there_is_room_again(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    descriptor = os.open("/dev/full", os.O_WRONLY)
    backlog = Backlog(descriptor)
    thread = writing_out(backlog)
    backlog.put(LINE)
    while backlog._waiting:
        thread.join(0.01)
    room = os.open(tmp_path / "log", os.O_WRONLY)
    # The write that failed may still be under way.
    os.dup2(room, descriptor)
    os.close(room)
    backlog.put(b"room again\n")
    backlog.end()
    thread.join()
    os.close(descriptor)
    assert (tmp_path / "log").read_bytes().endswith(b"room again\n")


if sys.platform != "win32":

    def test_a_pipe_that_somebody_made_non_blocking_is_waited_for(pipe: tuple[int, int]) -> None:
        os.set_blocking(pipe[1], False)
        backlog = Backlog(pipe[1])
        thread = writing_out(backlog)
        for _ in range(512):
            backlog.put(LINE)
        backlog.end()
        with os.fdopen(os.dup(pipe[0]), "rb") as reader:
            received = b""
            while len(received) < 512 * len(LINE):
                received += reader.read1()
        thread.join()
        os.close(pipe[1])
        assert received == 512 * LINE


def test_a_log_line_holds_one_record_and_commands_no_terminal() -> None:
    said = "a\x1b[31mred\r\n2026-01-01 ERROR forged: \u202eabc\x00"
    record = logging.LogRecord("name", logging.INFO, "", 0, "%s", (said,), None)
    line = LogFormatter("%(levelname)s %(message)s").format(record)
    assert line == r"INFO a\x1b[31mred\n2026-01-01 ERROR forged: \u202eabc\x00"


@asynccontextmanager
async def unread(llama_mcp: LlamaMCP) -> AsyncIterator[RawClient]:
    """A client that has read nothing of more on stderr than the buffer and two pipes hold."""
    chatty = llama_mcp.having(LOG_LEVEL="DEBUG")
    async with raw_client(chatty, stderr=subprocess.PIPE) as client:
        await client.hello()
        await chatter(client)
        yield client


async def chatter(client: RawClient) -> None:
    answer = b'{"jsonrpc":"2.0","id":"%s","result":{}}' % (b"x" * 1000)
    for _ in range(LINES // 100):
        await client.write(b"\n".join([answer] * 100))
        assert "error" not in await client.answer(await client.ask("ping"))


async def test_a_client_that_never_reads_stderr_is_answered_and_the_process_ends(
    llama_mcp: LlamaMCP,
) -> None:
    async with unread(llama_mcp) as client:
        assert not (await client.call("status"))["isError"]
        assert client.process.stdin is not None and client.process.stderr is not None
        await client.process.stdin.aclose()
        assert await client.exit_code() == 0


async def test_a_client_that_reads_stderr_late_is_told_once_what_is_missing(
    llama_mcp: LlamaMCP,
) -> None:
    async with unread(llama_mcp) as client:
        assert client.process.stderr is not None
        received = b""
        with anyio.fail_after(PATIENCE_SECONDS):
            while MISSING not in received:
                received += await client.process.stderr.receive()
        assert received.count(MISSING) == 1


@pytest.mark.posix
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&-", ">&- 2>&-"])
async def test_standard_descriptors_that_are_closed_or_full_end_nothing(
    llama_mcp: LlamaMCP, tmp_path: Path, redirection: str
) -> None:
    if "/dev/full" in redirection and sys.platform != "linux":
        pytest.skip("only Linux has /dev/full")
    asked = tmp_path / "asked"
    asked.write_bytes(
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_sessions"}}\n'
    )
    line = f"exec {llama_mcp.command[0]} <{asked} {redirection}"
    loud = replace(llama_mcp, variables=llama_mcp.variables | {"PATH": os.environ["PATH"]})
    done = await anyio.run_process(
        ["sh", "-c", line], env=loud.having(LOG_LEVEL="DEBUG").environment, check=False
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)


@pytest.mark.posix
async def test_the_last_words_of_a_crash_are_not_lost(llama_mcp: LlamaMCP) -> None:
    watched = replace(llama_mcp, variables=llama_mcp.variables | {"PYTHONFAULTHANDLER": "1"})
    async with raw_client(watched, stderr=subprocess.PIPE) as client:
        await client.hello()
        client.process.send_signal(signal.SIGSEGV)
        assert client.process.stderr is not None
        received = b""
        with anyio.fail_after(PATIENCE_SECONDS), pytest.raises(anyio.EndOfStream):
            while True:
                received += await client.process.stderr.receive()
        assert await client.exit_code() == -signal.SIGSEGV
    assert b"Fatal Python error: Segmentation fault" in received
