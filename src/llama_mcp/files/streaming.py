"""Texts read on the event loop: opened, read and closed in threads, never whole in memory."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager

import anyio
import anyio.to_thread

from llama_mcp.files.border import FileBorder
from llama_mcp.files.contents.text_stream import TextStream
from llama_mcp.files.named import NamedFile
from llama_mcp.files.reading import open_text

# So much is read at a time: handing it over from a thread costs as much as reading it.
BLOCK_CHARACTERS = 64 * 1024


@asynccontextmanager
async def opened(file: NamedFile, border: FileBorder) -> AsyncIterator[TextStream]:
    """Open a file for reading.

    Raises:
        FileRefusedError: it cannot be read.
    """
    closing = ExitStack()
    try:
        yield await anyio.to_thread.run_sync(closing.enter_context, open_text(file, border))
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(closing.close)


async def blocks_of(stream: TextStream) -> AsyncIterator[tuple[int, str]]:
    """Give the text in blocks, each with the number of its first line."""
    lines = iter(stream)
    while block := await anyio.to_thread.run_sync(_next_block, lines):
        yield block


def _next_block(lines: Iterator[tuple[int, str]]) -> tuple[int, str] | None:
    first, texts, length = None, [], 0
    for line, text in lines:
        first = line if first is None else first
        texts.append(text)
        length += len(text)
        if length >= BLOCK_CHARACTERS:
            break
    return None if first is None else (first, "".join(texts))
