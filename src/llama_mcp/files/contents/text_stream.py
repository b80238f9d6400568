"""A text in blocks of whole lines, never whole in memory, from the bytes of an opened file."""

import hashlib
import os
from collections.abc import Iterator
from typing import BinaryIO

from llama_mcp.files.contents.encodings import TextDecoder
from llama_mcp.wording import counted

CHUNK_BYTES = 262_144
# A line that is longer comes in parts.
MAX_LINE_CHARACTERS = 262_144


class TextStream:
    """The lines of a text that are meant; iterated once, in blocks of (first line, text).

    A block ends where a line ends, but for the last one and for parts of a very long line; those
    after the first part of a line have its number, too. Bytes that are appended after the opening
    are not read.

    Attributes:
        size_bytes: of the file when it was opened.
    """

    def __init__(
        self,
        source: BinaryIO,
        encoding: str,
        lines: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self._source = source
        self._decoder = TextDecoder(encoding)
        self._first, self._last = lines[0] or 1, lines[1]
        self._opened = os.fstat(source.fileno())
        self._hash = hashlib.sha256()
        self._read_bytes = 0
        self._has_changed = False
        self.size_bytes = self._opened.st_size
        self.last_line = 0
        """The last line that was given; 0 when none was."""

    @property
    def encoding(self) -> str:
        """The encoding, as Python names it; it may become known late."""
        return self._decoder.encoding

    @property
    def sha256(self) -> str:
        """Of the bytes that were read, in hexadecimal: the whole file's once all blocks came."""
        return self._hash.hexdigest()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know once all blocks came; sentences."""
        notes = []
        if self._decoder.replaced:
            bad = counted(self._decoder.replaced, "character")
            notes.append(f"{bad} could not be read as {self.encoding} and became \ufffd.")
        if self._decoder.nuls:
            notes.append(f"{counted(self._decoder.nuls, 'NUL character')} left out.")
        if self._has_changed:
            notes.append(f"It changed while it was read; {self._read_bytes:,} bytes were read.")
        return tuple(notes)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        yield from self._blocks()
        now = os.fstat(self._source.fileno())
        times = now.st_mtime_ns, self._opened.st_mtime_ns
        self._has_changed = now.st_size != self.size_bytes or times[0] != times[1]

    def _blocks(self) -> Iterator[tuple[int, str]]:
        line = 1
        for text in _by_lines(self._texts()):
            feeds = text.count("\n")
            if line + feeds >= self._first and (part := self._meant(text, line)):
                start = max(line, self._first)
                self.last_line = start + part.count("\n") - part.endswith("\n")
                yield start, part
            line += feeds
            if self._last is not None and line > self._last:
                return

    def _meant(self, text: str, line: int) -> str:
        """Return what of a block, which begins in this line, lies in the lines that are meant."""
        start, end = 0, len(text)
        for _ in range(line, self._first):
            start = text.find("\n", start) + 1
        if self._last is not None:
            end = start
            for _ in range(max(line, self._first), self._last + 1):
                found = text.find("\n", end)
                if found < 0:
                    return text[start:]
                end = found + 1
        return text[start:end]

    def _texts(self) -> Iterator[str]:
        while self._read_bytes < self.size_bytes:
            chunk = self._source.read(min(CHUNK_BYTES, self.size_bytes - self._read_bytes))
            if not chunk:
                break
            self._read_bytes += len(chunk)
            self._hash.update(chunk)
            yield self._decoder.decode(chunk)
        yield self._decoder.decode(b"", is_last=True)


def _by_lines(texts: Iterator[str]) -> Iterator[str]:
    """Cut texts again, where lines end; a very long line is given in parts."""
    kept = ""
    for text in texts:
        text = kept + text
        end = text.rfind("\n") + 1
        if not end and len(text) > MAX_LINE_CHARACTERS:
            end = len(text)
        if end:
            yield text[:end]
        kept = text[end:]
    if kept:
        yield kept
