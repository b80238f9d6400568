"""Pieces that have one result together: those of a file, or all of a job."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from llama_mcp.files.named import NamedFile
from llama_mcp.sessions.jobs import FileResult, LeftOutPart
from llama_mcp.turns.jobs.asking import Answer
from llama_mcp.turns.jobs.reading import PlannedPiece
from llama_mcp.turns.jobs.together import Whole


@dataclass(slots=True)
class Group:
    """Pieces that have one result together: those of one file, or all."""

    number: int
    files: Sequence[NamedFile]
    planned: int = 0
    is_cut: bool = False
    """All of its pieces are known."""
    answers: dict[int, tuple[PlannedPiece, Answer]] = field(default_factory=dict)
    failed: list[LeftOutPart] = field(default_factory=list)
    over: int = 0
    """Pieces that have an answer or have failed."""


def problem_of(answer: Answer) -> str | None:
    """Return why a reply is no result; None when it is one."""
    if answer.parsed.miss is not None:
        if answer.was_cut_off:
            return "its reply was cut off and is no whole JSON; pass a larger max_tokens"
        return f"its reply does not keep to json_schema: {answer.parsed.miss}"
    if answer.text.strip():
        return None
    return "all its tokens went into reasoning" if answer.was_cut_off else "its reply was empty"


def result_of(group: Group, whole: Whole | None = None, error: str | None = None) -> FileResult:
    """Return the result of a group that is one file, or why it has none."""
    (file,) = group.files
    lines = None
    if file.has_lines:
        lines = _lines_read(group) or f"{file.first_line or 1}-{file.last_line or ''}"
    if whole is None:
        return FileResult(file=file.name, lines=lines, error=error)
    reply: dict[str, Any] = {"reply": whole.text} if whole.parsed is None else {}
    return FileResult(file=file.name, lines=lines, parsed=whole.parsed, **reply)


def pieces_of(group: Group) -> list[FileResult]:
    """Return the finished pieces of a group that has no result yet."""
    answers = [group.answers[number] for number in sorted(group.answers)]
    return [
        FileResult(file=piece.files, lines=piece.lines, reply=answer.text)
        for piece, answer in answers
    ]


def _lines_read(group: Group) -> str | None:
    """Return the first and the last line that have a reply; the file may have fewer than asked."""
    parts = [part.lines for piece, _ in group.answers.values() for part in piece.parts]
    ends = [int(end) for lines in parts if lines for end in lines.split("-")]
    return f"{min(ends)}-{max(ends)}" if ends else None
