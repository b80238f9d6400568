"""What a process notes of a stream is gone with the stream, whenever the note comes."""

from functools import partial
from pathlib import Path

import anyio
import pytest

from llama_mcp.llama_server.api.chunks import StreamMark
from llama_mcp.llama_server.run_stream import RunStream
from llama_mcp.llama_server.runs.stream_files import StreamFiles

STREAM_ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def files(tmp_path: Path) -> StreamFiles:
    files = StreamFiles(tmp_path, STREAM_ID)
    files.register(is_told=False)
    return files


@pytest.fixture
def stream(files: StreamFiles) -> RunStream:
    return RunStream("run", files, StreamMark(STREAM_ID), None)


async def test_a_note_that_comes_after_its_reply_is_archived_does_not_bring_the_stream_back(
    files: StreamFiles, stream: RunStream
) -> None:
    await stream.note_saved(1, is_told=True)
    assert files.is_registered()
    await stream.forget()
    await stream.note_saved(2, is_told=True)
    assert not files.is_registered()


async def test_a_note_beside_the_end_of_the_turn_does_not_bring_the_stream_back(
    files: StreamFiles, stream: RunStream
) -> None:
    async with anyio.create_task_group() as tasks:
        for byte in range(1, 9):
            tasks.start_soon(partial(stream.note_saved, byte, is_told=True))
        tasks.start_soon(stream.forget)
        for byte in range(9, 17):
            tasks.start_soon(partial(stream.note_saved, byte, is_told=True))
    assert not files.is_registered()


async def test_what_another_process_may_read_on_is_noted_by_that_one_alone(
    files: StreamFiles, stream: RunStream, tmp_path: Path
) -> None:
    await stream.leave()
    next_reader = StreamFiles(tmp_path, STREAM_ID)
    assert next_reader.take()
    next_reader.remove()
    await stream.note_saved(2, is_told=True)
    assert not files.is_registered()
