"""Which tokens a saved prompt cache holds: the beginning of its file, which is in clear.

Layout (llama.cpp: llama-context.cpp, state_seq_save_file): magic and version, how many words the
token block has, and the block. Since August 2026 the block is packed: -1, 1, the number of tokens,
the tokens, and the number of media; before that it was the tokens alone. No number in it is
believed that the file's size does not bear out.
"""

import os
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"qsgg"  # ggsq, little-endian
_VERSION = 4
_START = struct.Struct("<4sII")
_PACKED, _PACKED_FORMAT = -1, 1
_FRAME_WORDS = 4
_WORD_BYTES = 4
# Longer than any window.
_MOST_WORDS = 2**24


class NotAPromptCacheError(ValueError):
    """A file that is none, or of a kind that is not known."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says before the state itself."""

    tokens: "array[int]"
    media: int
    """Pictures and the like among them, of which the tokens tell nothing."""


def read_header(path: Path) -> Header:
    """Return the tokens of a file.

    Raises:
        OSError: it cannot be read.
        NotAPromptCacheError: it is none.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(_START.size)
        if len(start) < _START.size:
            raise NotAPromptCacheError("it ends before it begins")
        magic, version, count = _START.unpack(start)
        if magic != _MAGIC or version != _VERSION:
            raise NotAPromptCacheError("it has another form")
        if count > min(_MOST_WORDS, (size - _START.size) // _WORD_BYTES):
            raise NotAPromptCacheError("it has fewer tokens than it says")
        words = array("i", file.read(count * _WORD_BYTES))
    return _unpacked(words, count)


def _unpacked(words: "array[int]", count: int) -> Header:
    if words.itemsize != _WORD_BYTES or len(words) != count:
        raise NotAPromptCacheError("it has fewer tokens than it says")
    if not count or words[0] != _PACKED:
        return Header(words, 0)
    if count < _FRAME_WORDS or words[1] != _PACKED_FORMAT:
        raise NotAPromptCacheError("it has another form")
    tokens = words[2]
    if not 0 <= tokens <= count - _FRAME_WORDS:
        raise NotAPromptCacheError("it has fewer tokens than it says")
    return Header(words[3 : 3 + tokens], words[3 + tokens])


def common_length(one: "array[int]", other: "array[int]") -> int:
    """Return how many tokens two prompts begin with in common."""
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return length
    low, high = 0, length  # equal up to low, not up to high
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low
