"""A thread at each descriptor: the event loop never waits, and no more is read than is taken."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from llama_mcp.surface.stdio import ending
from llama_mcp.surface.stdio.ending import call_when_asked_to_end, is_answered
from llama_mcp.surface.stdio.threads import CHUNK_BYTES, ReadingThread, WritingThread
from tests.support.processes import PATIENCE_SECONDS, until

Pipe = tuple[int, int]
STANDARD = (signal.SIG_DFL, signal.default_int_handler)


@pytest.fixture
async def pipe() -> AsyncIterator[Pipe]:
    """A pipe that is closed when no thread reads it any more.

    A thread that has not begun to read would read from whatever gets the descriptor's number next.
    """
    reading, writing = os.pipe()
    yield reading, writing
    _close(writing)
    await until(lambda: "stdin" not in {t.name for t in threading.enumerate()}, "its reader ends")
    _close(reading)


def _close(descriptor: int) -> None:
    with suppress(OSError):  # the test has closed it
        os.close(descriptor)


def reader_of(descriptor: int, limit: int = CHUNK_BYTES) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=limit)
    ReadingThread(descriptor, asyncio.StreamReaderProtocol(reader))
    return reader


@contextmanager
def writer_of(descriptor: int) -> Iterator[asyncio.StreamWriter]:
    protocol = asyncio.streams.FlowControlMixin()
    transport = WritingThread(descriptor, protocol)
    try:
        yield asyncio.StreamWriter(transport, protocol, None, asyncio.get_running_loop())
    finally:
        transport.close()


async def test_lines_are_read_as_they_are_and_then_the_end(pipe: Pipe) -> None:
    reader = reader_of(pipe[0])
    text = "größer\r\n\x1a\xff\n".encode("latin-1")
    os.write(pipe[1], text)
    with anyio.fail_after(PATIENCE_SECONDS):
        assert await reader.readline() + await reader.readline() == text
        os.close(pipe[1])
        assert await reader.readline() == b""


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "asked"
    file.write_bytes(b"x" * (3 * CHUNK_BYTES))
    with file.open("rb") as opened, anyio.fail_after(PATIENCE_SECONDS):
        assert await reader_of(opened.fileno()).read() == file.read_bytes()


async def test_what_nobody_takes_waits_in_the_pipe(pipe: Pipe) -> None:
    """The writer is held up as by any full pipe; when it is read, everything is there."""
    reader = reader_of(pipe[0], limit=CHUNK_BYTES)
    data = b"x" * (16 * CHUNK_BYTES)
    written: list[int] = []

    def write() -> None:
        for start in range(0, len(data), CHUNK_BYTES):
            os.write(pipe[1], data[start : start + CHUNK_BYTES])
            written.append(start)

    writing = threading.Thread(target=write)
    writing.start()
    await until(lambda: len(written) >= 2, "some of it is taken")
    received = b""
    with anyio.fail_after(PATIENCE_SECONDS):
        received = await reader.readexactly(CHUNK_BYTES)
        assert len(written) < len(data) // CHUNK_BYTES
        received += await reader.readexactly(len(data) - CHUNK_BYTES)
    writing.join()
    assert received == data


async def test_a_client_that_does_not_read_holds_up_drain_and_not_the_event_loop(
    pipe: Pipe,
) -> None:
    data = b"x" * (16 * CHUNK_BYTES)
    with writer_of(pipe[1]) as writer:
        writer.write(data)
        with anyio.move_on_after(0.05) as waiting:
            await writer.drain()
        assert waiting.cancelled_caught
        with anyio.fail_after(PATIENCE_SECONDS):
            received = await reader_of(pipe[0]).readexactly(len(data))
            await writer.drain()
    assert received == data


async def test_a_client_that_is_gone_is_an_error_of_the_next_drain(pipe: Pipe) -> None:
    os.close(pipe[0])
    with writer_of(pipe[1]) as writer:
        writer.write(b"x\n")
        with anyio.fail_after(PATIENCE_SECONDS), pytest.raises(OSError):
            await writer.drain()
        assert writer.is_closing()


async def test_what_is_written_after_the_end_is_dropped(pipe: Pipe) -> None:
    with writer_of(pipe[1]) as writer:
        writer.write(b"first\n")
        writer.close()
        writer.write(b"second\n")
        with anyio.fail_after(PATIENCE_SECONDS):
            reader = reader_of(pipe[0])
            assert await reader.readline() == b"first\n"
            os.close(pipe[1])
            assert await reader.readline() == b""


@pytest.mark.parametrize("event", [0, 1, 2, 5, 6])
def test_a_console_event_is_told_and_dealt_with(event: int) -> None:
    told: list[int] = []
    assert is_answered(event, lambda: told.append(event), hold_seconds=0)
    assert told == [event]


def test_a_console_event_after_the_event_loop_is_left_to_the_system() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    assert not is_answered(2, lambda: loop.call_soon_threadsafe(print), hold_seconds=600)


if sys.platform == "win32":

    @pytest.mark.parametrize("event", [0, 1])
    async def test_what_windows_calls_for_ctrl_c_reaches_the_event_loop(event: int) -> None:
        asked = anyio.Event()
        await call_when_asked_to_end(asked.set)
        with anyio.fail_after(PATIENCE_SECONDS):
            assert await anyio.to_thread.run_sync(ending._handlers[-1], event)
            await asked.wait()

else:

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    async def test_a_signal_reaches_the_event_loop_each_time(number: signal.Signals) -> None:
        told: list[int] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call_when_asked_to_end, lambda: told.append(number))
            await until(lambda: signal.getsignal(number) not in STANDARD, "it listens")
            signal.raise_signal(number)
            await until(lambda: len(told) == 1, "it is told")
            signal.raise_signal(number)
            await until(lambda: len(told) == 2, "it is told again")
            tasks.cancel_scope.cancel()
