"""The files of a job read and cut into pieces, one after the other, as they are needed.

A file is never whole in memory. Small files that follow each other share a piece.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from llama_mcp.errors import LlamaMCPError
from llama_mcp.files.border import FileBorder
from llama_mcp.files.errors import FileRefusedError
from llama_mcp.files.named import FileKind, NamedFile
from llama_mcp.files.pieces import LEAST_TOKENS, Cutter, Measure
from llama_mcp.files.streaming import blocks_of, opened
from llama_mcp.sessions.jobs import LeftOutPart
from llama_mcp.turns.jobs.asking import Asker
from llama_mcp.turns.jobs.errors import InstructionTooLongError
from llama_mcp.turns.jobs.questions import Messages, Part, about_piece, mark_bytes
from llama_mcp.turns.jobs.room import SLACK_TOKENS, Room
from llama_mcp.wording import shortened

MAX_WHY_CHARACTERS = 300
PICTURE = "it is a picture, and only text is read here"
EMPTY = "it is empty"
NO_LINE = "it has no line {line}"


@dataclass(frozen=True, slots=True)
class PlannedPiece:
    """What one question is about."""

    parts: tuple[Part, ...]
    tokens: int
    """Of its texts."""

    @property
    def files(self) -> str:
        """Its files, with commas between."""
        return ", ".join(dict.fromkeys(part.file for part in self.parts))

    @property
    def lines(self) -> str | None:
        """Its lines when it is of one file and not all of it."""
        return self.parts[0].lines if len(self.parts) == 1 else None


@dataclass(slots=True)
class Reader:
    """Reads the files of one job."""

    instruction: str
    border: FileBorder
    room: Room
    asker: Asker
    left_out: list[LeftOutPart] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    characters: int = 0
    """Handed out so far."""
    _cutter: Cutter = field(default_factory=Cutter)
    _question_tokens: int = 0
    """Of a question without a text."""
    _mark_tokens: int = 0
    """Of the marks around one."""

    async def prepare(self, name: str) -> None:
        """Measure what every question has.

        Args:
            name: of a file, such as they are.

        Raises:
            InstructionTooLongError: It leaves no room for a text.
            LlamaMCPError: llama-server does not count.
        """
        self._question_tokens = await self.asker.count(self._about())
        with_marks = await self.asker.count(self._about(Part(name, _LONGEST_LINES, "")))
        self._mark_tokens = with_marks - self._question_tokens
        if self.room.question - with_marks < max(self.room.least_text, LEAST_TOKENS):
            room = self.room
            raise InstructionTooLongError(self._question_tokens, room.window, room.reply)

    async def pieces(self, files: Sequence[NamedFile]) -> AsyncGenerator[PlannedPiece, None]:
        """Give the pieces of files in order; what cannot be read is left out, and noted.

        Raises:
            JobBrokenError: There is no llama-server any more that counts.
        """
        open_parts: list[Part] = []
        weight = 0
        most = self.room.question - self._question_tokens
        for file in files:
            async with aclosing(self._parts(file)) as parts:
                async for part, tokens in parts:
                    own = tokens + self._mark_tokens + SLACK_TOKENS
                    if open_parts and weight + own > most:
                        yield self._planned(open_parts, weight)
                        open_parts, weight = [], 0
                    open_parts.append(part)
                    weight += own
        if open_parts:
            yield self._planned(open_parts, weight)

    def _planned(self, parts: Sequence[Part], weight: int) -> PlannedPiece:
        self.characters += sum(len(part.text) for part in parts)
        return PlannedPiece(tuple(parts), weight - len(parts) * (self._mark_tokens + SLACK_TOKENS))

    async def _parts(self, file: NamedFile) -> AsyncGenerator[tuple[Part, int], None]:
        """Give the parts of one file with the tokens of their texts; note why there is no more."""
        if file.kind is FileKind.PICTURE:
            self.left_out.append(LeftOutPart(file=file.name, why=PICTURE))
            return
        next_line, was_read = file.first_line or 1, False
        try:
            async with (
                opened(file, self.border) as stream,
                aclosing(self._cutter.cut(blocks_of(stream), self._measure(file))) as pieces,
            ):
                async for piece in pieces:
                    is_whole = piece.is_last and not was_read and not file.has_lines
                    lines = None if is_whole else f"{piece.first_line}-{piece.last_line}"
                    was_read, next_line = True, piece.last_line + 1
                    tokens = piece.tokens + _margin(file)
                    yield Part(file.name, lines, piece.text), tokens
                self.notes += [f"{file.name}: {note}" for note in stream.notes]
        except LlamaMCPError as error:
            lines = f"{next_line}-" if was_read else None
            self.left_out.append(LeftOutPart(file=file.name, lines=lines, why=why_of(error)))
        else:
            if not was_read:
                why = NO_LINE.format(line=file.first_line) if file.first_line else EMPTY
                self.left_out.append(LeftOutPart(file=file.name, why=why))

    def _measure(self, file: NamedFile) -> Measure:
        margin = _margin(file)

        async def count(text: str) -> int:
            part = Part(file.name, _LONGEST_LINES, text)
            tokens = await self.asker.count(self._about(part))
            # What the name takes is known as bytes only; then a text is no more than its bytes.
            return tokens - self._question_tokens - self._mark_tokens - margin

        most = self.room.question - self._question_tokens - self._mark_tokens - margin
        return Measure(count, max(most, LEAST_TOKENS))

    def _about(self, *parts: Part) -> Messages:
        return about_piece(self.instruction, parts)


def _margin(file: NamedFile) -> int:
    """Return how many tokens the name of a file may take at the most."""
    return mark_bytes(file.name, None)


# As a stand-in for lines that are not known yet.
_LONGEST_LINES = "10000000-10000000"


def why_of(error: LlamaMCPError) -> str:
    """Return why something has no result, as a short clause."""
    why = error.why if isinstance(error, FileRefusedError) else error.situation
    return shortened(why.strip().rstrip("."), MAX_WHY_CHARACTERS)
