"""What is ranked: texts as they are given, and files in pieces at natural borders."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from llama_mcp.files.border import FileBorder
from llama_mcp.files.errors import FileRefusedError
from llama_mcp.files.named import FileKind, LeftOut, NamedFile
from llama_mcp.files.pieces import LEAST_TOKENS, Cutter, Measure
from llama_mcp.files.streaming import blocks_of, opened
from llama_mcp.ranking.inputs import Inputs
from llama_mcp.wording import first_few

# A piece is to say one thing: a longer one is like every query a little, and costs more to read.
PIECE_TOKENS = 512
# What a row shows of them: the caller has the texts itself.
_TEXT_BEGINNING = 40
_PIECE_BEGINNING = 80
# How many files an error names.
_NAMED = 3
_NO_TEXT = "it is a picture, and only text is ranked"


@dataclass(frozen=True, slots=True)
class Passage:
    """One text to be ranked, and where it is from."""

    text: str
    index: int | None = None
    """Which of the texts it is, from 0 on."""
    file: str | None = None
    lines: str | None = None

    @property
    def place(self) -> str:
        """What it is called in a note."""
        return f"text {self.index}" if self.file is None else f"{self.file}:{self.lines}"

    @property
    def beginning(self) -> str:
        """Its first words, on one line."""
        length = _TEXT_BEGINNING if self.file is None else _PIECE_BEGINNING
        # Not all of it: a text may be a book.
        words = " ".join(self.text[: 8 * length].split())
        return words if len(words) <= length else f"{words[: length - 1].rstrip()}…"


@dataclass(slots=True)
class Passages:
    """The texts and files of one ranking, read as they are needed."""

    texts: Sequence[str] = ()
    files: Sequence[NamedFile] = ()
    border: FileBorder | None = None
    left_out: list[LeftOut] = field(default_factory=list)
    """Files that were not read, or not to the end."""
    empty: int = 0
    """Texts without a word; they are left out."""
    notes: list[str] = field(default_factory=list)

    @property
    def has_any(self) -> bool:
        """Whether there is a text with a word, or a file to look into."""
        return bool(self.files) or any(text.strip() for text in self.texts)

    @property
    def why_none(self) -> str:
        """Why there is nothing to rank, a clause."""
        if not self.left_out:
            return "there is no text with a word in it"
        files = [f"{each.name}: {each.why}" for each in self.left_out]
        return f"no file could be read ({first_few(files, _NAMED, '; ')})"

    async def read(self, inputs: Inputs) -> AsyncGenerator[Passage, None]:
        """Give all of them, files in pieces that the model can read whole."""
        for index, text in enumerate(self.texts):
            if text.strip():
                yield Passage(text, index)
            else:
                self.empty += 1
        for file in self.files:
            try:
                async with aclosing(self._pieces(file, inputs)) as pieces:
                    async for passage in pieces:
                        yield passage
            except FileRefusedError as error:
                self.left_out.append(LeftOut(file.name, error.why))

    async def _pieces(self, file: NamedFile, inputs: Inputs) -> AsyncGenerator[Passage, None]:
        if file.kind is FileKind.PICTURE:
            self.left_out.append(LeftOut(file.name, _NO_TEXT))
            return
        assert self.border is not None
        own_tokens = await inputs.count("")
        most_tokens = max(LEAST_TOKENS, min(inputs.most_tokens, PIECE_TOKENS) - own_tokens)

        async def count(text: str) -> int:
            return await inputs.count(text) - own_tokens

        # One for each file: what was measured on another would make other pieces of this one, and
        # nothing that is known of them would fit.
        cutter, measure = Cutter(), Measure(count, most_tokens)
        async with (
            opened(file, self.border) as stream,
            aclosing(cutter.cut(blocks_of(stream), measure)) as pieces,
        ):
            async for piece in pieces:
                if piece.text.strip():
                    lines = f"{piece.first_line}-{piece.last_line}"
                    yield Passage(piece.text, None, file.name, lines)
            self.notes += [f"{file.name}: {note}" for note in stream.notes]
