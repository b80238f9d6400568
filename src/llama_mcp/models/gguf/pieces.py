"""A file read from its beginning, in pieces: never more than one of them in memory.

The file is read and not mapped: a mapped file that is cut off while it is looked at ends the whole
process (SIGBUS), and on Windows nobody could delete it. Reading is as quick.
"""

import struct
from io import RawIOBase
from itertools import repeat
from operator import length_hint

from llama_mcp.visible_text import visible_line
from llama_mcp.wording import counted, shortened

_PIECE_BYTES = 1 << 20
# In arrays, all together: twice what the largest vocabularies have, and a fifth of a second.
_MOST_TEXTS = 1 << 21
# In an array, on average. Only a leap stops there.
_LONG_TEXT_BYTES = 64
# The length of a key, less its first byte, and how the names of a tokenizer's keys begin.
_TOKENIZER_KEY = b"\0" * 7 + b"tokenizer."
_SHOWN_CHARACTERS = 80
_u32, _u64 = struct.Struct("<I").unpack_from, struct.Struct("<Q").unpack_from


class BrokenHeaderError(ValueError):
    """What is wrong with a header, in words that follow a colon."""


def shown(name: str) -> str:
    """Return a name that a file has, as an error can tell it."""
    return shortened(visible_line(name), _SHOWN_CHARACTERS)


class Pieces:
    """Reads numbers and texts one after the other, each within the file and the limit.

    Args:
        file: an unbuffered file at its beginning.
        size_bytes: how long the file is.
        most_bytes: how much of it a header may be.
    """

    def __init__(self, file: RawIOBase, size_bytes: int, most_bytes: int) -> None:
        self._file = file
        self._size_bytes = size_bytes
        self._most_bytes = most_bytes
        self._piece = b""
        self._begin = 0  # of the piece, in the file
        self._at = 0  # in the piece
        self._texts_left = _MOST_TEXTS

    @property
    def position(self) -> int:
        """How many bytes of the file are behind."""
        return self._begin + self._at

    def u32(self) -> int:
        """Return the next number of four bytes."""
        return int(_u32(self.take(4))[0])

    def u64(self) -> int:
        """Return the next number of eight bytes."""
        return int(_u64(self.take(8))[0])

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if self._at + count > len(self._piece):
            self._read(max(count, _PIECE_BYTES), count)
        start = self._at
        self._at += count
        return self._piece[start : self._at]

    def skip(self, count: int) -> None:
        """Pass bytes by, unread where they are many."""
        self._check(self.position + count)
        self._at += count

    def skip_texts(self, count: int) -> None:
        """Pass texts by, of each of which only the length is read."""
        self._count_texts(count)
        left = count
        while left:
            self._read(_PIECE_BYTES, 8)
            left = self._skip_texts_here(left)
            self._check(self.position)

    def _skip_texts_here(self, count: int) -> int:
        """Pass by the texts that begin in this piece; return how many are left."""
        piece, at, number = self._piece, self._at, _u64
        left = repeat(None, count)
        try:
            # Half a million times for a vocabulary: the end of the piece is met, not looked for.
            for _ in left:
                (length,) = number(piece, at)
                at += 8 + length
        except (struct.error, OverflowError):
            self._at = at
            return length_hint(left) + 1
        self._at = at
        return 0

    def leap_texts(self, count: int) -> None:
        """Go to where the next key of a tokenizer seems to begin, behind so many texts.

        What is read there proves nothing by itself: a text may look like a key.
        """
        self._count_texts(count)
        farthest = self.position + (8 + _LONG_TEXT_BYTES) * count
        self.skip(8 * count)
        while self.position < farthest:
            self._read(_PIECE_BYTES, 1 + len(_TOKENIZER_KEY))
            if (found := self._piece.find(_TOKENIZER_KEY, 1)) > 0:
                self._at = found - 1
                return
            # The key may begin in this piece and end in the next.
            self._at = len(self._piece) - len(_TOKENIZER_KEY)
        raise BrokenHeaderError("no key of a tokenizer follows its vocabulary")

    def _count_texts(self, count: int) -> None:
        self._texts_left -= count
        if self._texts_left < 0:
            raise BrokenHeaderError(f"its arrays have more than {_MOST_TEXTS} texts")

    def _read(self, wanted: int, needed: int) -> None:
        """Take a new piece, which begins here."""
        self._check(self.position + needed)
        self._begin, self._at = self.position, 0
        self._file.seek(self._begin)
        wanted = min(wanted, self._size_bytes - self._begin)
        pieces: list[bytes] = []
        while wanted > 0 and (read := self._file.read(wanted)):
            pieces.append(read)
            wanted -= len(read)
        self._piece = b"".join(pieces)
        if len(self._piece) < needed:
            raise BrokenHeaderError("it became shorter while it was read")

    def _check(self, end: int) -> None:
        if end > self._size_bytes:
            raise BrokenHeaderError(
                f"it ends after {counted(self._size_bytes, 'byte')}, within its header"
            )
        if end > self._most_bytes:
            raise BrokenHeaderError(f"its header is longer than {self._most_bytes >> 20} MiB")
