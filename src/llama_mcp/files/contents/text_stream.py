"""A text in blocks of whole lines, never whole in memory, from the bytes of an opened file."""

import hashlib
import os
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import BinaryIO, Protocol

from llama_mcp.files.contents.encodings import TextDecoder
from llama_mcp.files.errors import unreadable
from llama_mcp.wording import counted

CHUNK_BYTES = 262_144
# A line that is longer comes in parts.
MAX_LINE_CHARACTERS = 262_144


class TextSource(Protocol):
    """Where a text comes from; all but `texts` is right once all texts came."""

    size_bytes: int
    """Of the file when it was opened."""

    @property
    def encoding(self) -> str:
        """The encoding, as Python names it."""
        ...

    @property
    def sha256(self) -> str:
        """Of the bytes that were read, in hexadecimal."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know; sentences."""
        ...

    def texts(self) -> Generator[str, None, None]:
        """Yield the text, cut anywhere; line ends are line feeds."""
        ...


class TextStream:
    """The lines of a text that are meant; iterated once, in blocks of (first line, text).

    A block ends where a line ends, but for the last one and for parts of a very long line; those
    after the first part of a line have its number, too.
    """

    def __init__(
        self, source: TextSource, lines: tuple[int | None, int | None] = (None, None)
    ) -> None:
        self._source = source
        self._first, self._last = lines[0] or 1, lines[1]
        self.size_bytes = source.size_bytes
        """Of the file when it was opened; what is appended later is not read."""
        self.last_line = 0
        """The last line that was given; 0 when none was."""

    @property
    def encoding(self) -> str:
        """The encoding, as Python names it; it may become known late."""
        return self._source.encoding

    @property
    def sha256(self) -> str:
        """Of the bytes that were read, in hexadecimal: the whole file's once all blocks came."""
        return self._source.sha256

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know once all blocks came; sentences."""
        return self._source.notes

    def __iter__(self) -> Iterator[tuple[int, str]]:
        line = 1
        with closing(self._source.texts()) as texts:
            for text in _by_lines(texts):
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


class FileSource:
    """The text of an opened file as it stands there, decoded."""

    def __init__(
        self, file: BinaryIO, name: str, encoding: str, notes: tuple[str, ...] = ()
    ) -> None:
        self._file, self._name = file, name
        self._notes = notes
        self._decoder = TextDecoder(encoding)
        self._opened = os.fstat(file.fileno())
        self._hash = hashlib.sha256()
        self._read_bytes = 0
        self._has_changed = False
        self.size_bytes = self._opened.st_size

    @property
    def encoding(self) -> str:
        """The encoding, as Python names it."""
        return self._decoder.encoding

    @property
    def sha256(self) -> str:
        """Of the bytes that were read, in hexadecimal."""
        return self._hash.hexdigest()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not as it should be."""
        notes = [*self._notes]
        if self._decoder.replaced:
            bad = counted(self._decoder.replaced, "character")
            notes.append(f"{bad} could not be read as {self.encoding} and became \ufffd.")
        if self._decoder.nuls:
            notes.append(f"{counted(self._decoder.nuls, 'NUL character')} left out.")
        if self._has_changed:
            notes.append(f"It changed while it was read; {self._read_bytes:,} bytes were read.")
        return tuple(notes)

    def texts(self) -> Generator[str, None, None]:
        """Yield the text, as far as the file reached when it was opened.

        Raises:
            UnreadableFileError: the system stops giving it.
        """
        while chunk := self._read():
            self._read_bytes += len(chunk)
            self._hash.update(chunk)
            yield self._decoder.decode(chunk)
        yield self._decoder.decode(b"", is_last=True)
        now = os.fstat(self._file.fileno())
        times = now.st_mtime_ns, self._opened.st_mtime_ns
        self._has_changed = now.st_size != self.size_bytes or times[0] != times[1]

    def _read(self) -> bytes:
        try:
            return self._file.read(min(CHUNK_BYTES, self.size_bytes - self._read_bytes))
        except OSError as error:
            raise unreadable(self._name, error) from error
