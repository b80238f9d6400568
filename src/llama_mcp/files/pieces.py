"""A text of any length cut into pieces of so many tokens at the most, at natural borders.

Only llama-server knows how many tokens a text is, and each question takes milliseconds. So a piece
is cut by the ratio of characters to tokens that the last ones had, and counted once; where that was
wrong, it is cut again. What fits in any case needs no luck: a token stands for at least one byte.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

# Returns how many tokens a text is.
Count = Callable[[str], Awaitable[int]]

# Fewer hold no sentence, and then no piece would be of use.
LEAST_TOKENS = 16
# Before anything was counted: less than prose has, more than most code.
FIRST_RATIO = 3.0
# A piece is meant to fill so much of its room: the next part of a text is never like the last.
AIM = 0.95
# A piece that fills less of its room is cut anew, longer.
GOOD_SHARE = 0.5
MAX_COUNTS = 4
# A border is looked for in this last part of what would fit.
BORDER_SHARE = 0.4
# A rest so little longer than a piece is parted in the middle, and not into a piece and a crumb.
CRUMB_SHARE = 1.3

# The best first: before a heading or what stands at the margin below an empty line (a function, a
# chapter), after any empty line, after a line, after a sentence, after a word.
_BORDERS = (
    re.compile(r"\n[ \t]*\r?\n(?=[^\s)\]}])|\n(?=#{1,6} )|\f"),
    re.compile(r"\n[ \t]*\r?\n"),
    re.compile(r"\n"),
    re.compile(r"[.!?…][\"'”’)\]]*\s|[。！？]"),
    re.compile(r"\s"),
)
_JOINED = re.compile("[\u0300-\u036f\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text."""

    text: str
    first_line: int
    last_line: int
    """Both are parts of lines where a line is longer than a piece."""
    tokens: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class Measure:
    """How long a piece may be."""

    count: Count
    """Never gives more than a text has bytes of UTF-8."""
    most_tokens: int
    """At least LEAST_TOKENS."""

    def __post_init__(self) -> None:
        if self.most_tokens < LEAST_TOKENS:
            raise ValueError(f"pieces of {self.most_tokens} tokens are too small")


class Cutter:
    """Cuts the texts of one job: what was measured on one helps with the next."""

    def __init__(self) -> None:
        self._characters_per_token = FIRST_RATIO

    async def cut(
        self, blocks: AsyncIterable[tuple[int, str]], measure: Measure
    ) -> AsyncGenerator[Piece, None]:
        """Give the pieces of a text; joined, they are the text. No more than a piece is read ahead.

        Args:
            blocks: the text in parts of any length, each with the number of its first line.
            measure: how long a piece may be.
        """
        rest = _Rest(aiter(blocks))
        while not await rest.is_empty():
            text, tokens = await self._beginning(rest, measure)
            first = rest.line
            rest.take(len(text))
            last = rest.line - text.endswith("\n")
            yield Piece(text, first, last, tokens, await rest.is_empty())

    async def _beginning(self, rest: "_Rest", measure: Measure) -> tuple[str, int]:
        """Return a beginning of the rest that fits and is as long as can be, and its tokens."""
        most = measure.most_tokens
        size = max(1, int(most * AIM * self._characters_per_token))
        fits, too_long = ("", 0), None
        for _ in range(MAX_COUNTS):
            text = await rest.beginning(size)
            if text == fits[0]:
                break
            tokens = await measure.count(text)
            if max(len(text), tokens) >= most:  # a few characters say nothing of the next text
                self._characters_per_token = len(text) / max(tokens, 1)
            if tokens <= most:
                fits = text, tokens
                if tokens >= GOOD_SHARE * most or await rest.is_all(text):
                    break
            else:
                too_long = len(text)
            size = int(most * AIM * self._characters_per_token)
            size = max(size, len(fits[0]) + 1)
            if too_long is not None:
                size = min(size, too_long - 1)
            if size <= len(fits[0]):
                break
        return fits if fits[0] else await self._what_fits_in_any_case(rest, measure)

    async def _what_fits_in_any_case(self, rest: "_Rest", measure: Measure) -> tuple[str, int]:
        text = await rest.beginning(measure.most_tokens)
        raw = text.encode("utf-8", "replace")[: measure.most_tokens]
        longest = text[: len(raw.decode("utf-8", "ignore"))]
        text = longest if longest == text else longest[: border(longest)]
        # Some vocabularies have no token for a blank, which then takes three.
        while (tokens := await measure.count(text)) > measure.most_tokens and len(text) > 1:
            text = text[: len(text) // 2]
        return text, tokens


def border(text: str) -> int:
    """Return where the text is best parted: in its last part, behind the most natural border."""
    least = int(len(text) * (1 - BORDER_SHARE))
    for pattern in _BORDERS:
        ends = [found.end() for found in pattern.finditer(text, least)]
        if ends:
            return ends[-1]
    return len(text)


class _Rest:
    """What has not been cut yet of a text that is read as it is needed."""

    def __init__(self, blocks: AsyncIterator[tuple[int, str]]) -> None:
        self.line = 1
        self._blocks = blocks
        self._text = ""
        # Where in it the rest begins: cutting it off each time would copy it each time.
        self._start = 0
        self._has_ended = False
        self._is_begun = False

    async def is_empty(self) -> bool:
        """Tell whether nothing is left."""
        await self._fill(1)
        return self._length == 0

    async def is_all(self, text: str) -> bool:
        """Tell whether that beginning is all that is left."""
        await self._fill(len(text) + 1)
        return len(text) == self._length

    async def beginning(self, size: int) -> str:
        """Return at most so many characters: all that is left, or as many as end naturally."""
        await self._fill(int(size * CRUMB_SHARE) + 1)
        if self._length <= size:
            return self._text[self._start :]
        if self._has_ended and self._length <= size * CRUMB_SHARE:
            size = min(size, int(self._length * (1 - BORDER_SHARE / 2)))
        end = self._start + max(1, size)
        found = self._text[self._start : end]
        length = border(found)
        # No character is parted from what belongs to it.
        while 1 < length == len(found) and self._is_inside(self._start + length):
            found, length = found[:-1], length - 1
        return found[:length]

    def take(self, length: int) -> None:
        """Leave out the beginning, which is cut."""
        end = self._start + length
        self.line += self._text.count("\n", self._start, end)
        self._start = end
        if self._start > len(self._text) // 2:
            self._text, self._start = self._text[self._start :], 0

    @property
    def _length(self) -> int:
        return len(self._text) - self._start

    def _is_inside(self, place: int) -> bool:
        after = self._text[place : place + 1]
        is_line_end = after == "\n" and self._text[place - 1] == "\r"
        return is_line_end or _JOINED.match(after) is not None

    async def _fill(self, size: int) -> None:
        parts = []
        length = self._length
        while length < size and not self._has_ended:
            try:
                line, text = await anext(self._blocks)
            except StopAsyncIteration:
                self._has_ended = True
                break
            if not self._is_begun:
                self.line, self._is_begun = line, True
            parts.append(text)
            length += len(text)
        if parts:
            self._text = self._text[self._start :] + "".join(parts)
            self._start = 0
