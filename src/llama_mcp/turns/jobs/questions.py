"""What the model is asked of a piece of files, and of the replies on pieces.

All questions of a job begin alike, so that llama-server reads that beginning once: the instruction
first, then what belongs to this question alone. Each text stands between marks whose name occurs in
no text of the question, so that none can end early or pass for another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llama_mcp.turns.marks import free_mark
from llama_mcp.visible_text import visible_line

Messages = list[dict[str, str]]

_READ = "Do this with the text below. It is given between marks that say where it comes from."
_TOGETHER = (
    "The text for this was too long to be read at once, so it was done for one part after the "
    "other. Below are the results of the parts, in order, between marks that say of what. Put them "
    "together into one result for the whole, as if all had been read at once: keep what matters, "
    "say nothing twice, do not mention parts."
)
# Small models lose sight of what stands before a long text. A long instruction is not said twice.
_REPEATED_CHARACTERS = 400
_HIGHEST_NUMBER = 10_000
# What would end a name, or the mark that it stands in.
_IN_A_MARK = str.maketrans('"<>', "'()")


@dataclass(frozen=True, slots=True)
class Part:
    """A text of a question, and what it is of."""

    file: str
    lines: str | None
    text: str


def about_piece(instruction: str, parts: Sequence[Part]) -> Messages:
    """Return the question about one piece."""
    return _question(instruction, _READ, "file", parts)


def about_replies(instruction: str, parts: Sequence[Part]) -> Messages:
    """Return the question that puts replies on pieces together."""
    return _question(instruction, _TOGETHER, "result", parts)


def mark_bytes(file: str, lines: str | None) -> int:
    """Return how many bytes the marks around one text take at the most."""
    longest = Part(file, lines or "1000000000-1000000000", "")
    return len(_marked(longest, f"result-{_HIGHEST_NUMBER}").encode("utf-8", "replace"))


def _question(instruction: str, task: str, word: str, parts: Sequence[Part]) -> Messages:
    mark = free_mark(word, [part.text for part in parts])
    texts = "\n\n".join(_marked(part, mark) for part in parts)
    again = ""
    if len(instruction) <= _REPEATED_CHARACTERS:
        again = f"\n\n{instruction.strip()}"
    return [{"role": "user", "content": f"{instruction.strip()}\n\n{task}\n\n{texts}{again}"}]


def _marked(part: Part, mark: str) -> str:
    name = visible_line(part.file).translate(_IN_A_MARK)
    lines = f' lines="{part.lines}"' if part.lines else ""
    return f'<{mark} name="{name}"{lines}>\n{part.text}\n</{mark}>'
