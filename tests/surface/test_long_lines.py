"""A line that is longer than a message may be is one that cannot be read, however long it is."""

import asyncio

import pytest

from llama_mcp.surface.stdio.messages import next_line

LIMIT = 100


async def lines_of(data: bytes, piece_bytes: int) -> list[bytes | None]:
    """Return what is read of data that comes in pieces; None for each line that is too long."""
    reader = asyncio.StreamReader(limit=LIMIT)
    pieces = [data[i : i + piece_bytes] for i in range(0, len(data), piece_bytes)]
    lines: list[bytes | None] = []

    async def feed() -> None:
        for piece in pieces:
            reader.feed_data(piece)
            await asyncio.sleep(0)
        reader.feed_eof()

    feeding = asyncio.create_task(feed())
    while (line := await next_line(reader)) != b"":
        lines.append(line)
    await feeding
    return lines


@pytest.mark.parametrize("piece_bytes", [1, 7, 64, 101, 100_000])
@pytest.mark.parametrize("length", [0, 99, 100, 101, 102, 199, 201, 999])
async def test_a_line_is_given_whole_or_told_once_as_too_long(
    length: int, piece_bytes: int
) -> None:
    long = b"x" * length
    line = long + b"\n" if length <= LIMIT else None
    read = await lines_of(b"a\n" + long + b"\nb\n" + long + b"\nc", piece_bytes)
    assert read == [b"a\n", line, b"b\n", line, b"c"]


@pytest.mark.parametrize("length", [1, 100, 101, 250])
async def test_the_last_line_needs_no_end(length: int) -> None:
    read = await lines_of(b"a\n" + b"x" * length, 10)
    # Without a separator the limit is noticed one byte later.
    assert read[0] == b"a\n" and len(read) == 2
    assert read[1] == (b"x" * length if length <= LIMIT else None)
