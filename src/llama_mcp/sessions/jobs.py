"""The records of jobs over files: one turn each, whose reply is made of many. All are frozen."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from llama_mcp.wording import counted

JOB_INTERRUPTED = (
    "The llama-mcp process that worked on this job ended before the job did. Its finished pieces "
    "are kept: make the same call again to go on with them."
)


class LeftOutPart(BaseModel, frozen=True):
    """A file, or lines of one, that no result covers."""

    file: str
    lines: str | None = None
    """`10-80`; None for all of it."""
    why: str


class FileResult(BaseModel, frozen=True):
    """What has come of one file, or of one piece of a job that is not over."""

    file: str
    lines: str | None = None
    """`10-80`; None for all of it."""
    reply: str | None = None
    """None when it is told as data, or there is none."""
    parsed: Any = None
    error: str | None = None
    """Why there is no result."""


class Coverage(BaseModel, frozen=True):
    """What of the files was read."""

    files: int = 0
    pieces: int = 0
    tokens: int = 0
    """Of the texts, without what asks about them."""
    left_out: tuple[LeftOutPart, ...] = ()


class JobState(BaseModel, frozen=True):
    """How far a job is, or what has come of it."""

    each: bool = False
    """Every file has a result of its own."""
    named: tuple[str, ...] = ()
    """The first of its files, and how many more there are, for a transcript."""
    done: int = 0
    """Pieces of the files that are over."""
    planned: int = 0
    """Pieces that there will be, as far as is known."""
    is_planned: bool = False
    """Whether that many were cut; before, it is a guess by the sizes of the files."""
    stage: str = ""
    """What is done now when it is not reading pieces; a clause."""
    results: tuple[FileResult, ...] = ()
    coverage: Coverage = Coverage()


@dataclass(frozen=True, slots=True)
class FinishedPiece:
    """One reply that a job needs, as llama-server has given it."""

    level: int
    """0 for pieces of files, more for what puts replies together."""
    number: int
    """Its place among those of its level, from 1."""
    digest: str
    """Of all that was asked: the same question has the same."""
    file: str
    """What it is of; names with commas between where files share a piece."""
    lines: str | None
    reply: str
    was_cut_off: bool = False
    """At the longest length allowed."""


@dataclass(frozen=True, slots=True)
class KeptJob:
    """A job as the archive has it."""

    state: JobState
    pieces: tuple[FinishedPiece, ...]
    """The finished ones of a job that is not complete, in order."""


def job_of(kept: KeptJob) -> JobState:
    """Return what has come of a job that is over: of one whose end nobody saw, its pieces."""
    state = kept.state
    read = [piece for piece in kept.pieces if piece.level == 0]
    if not read or state.results:
        return state
    results = [FileResult(file=each.file, lines=each.lines, reply=each.reply) for each in read]
    return state.model_copy(update={"results": tuple(results)})


def pieces_text(pieces: Iterable[FinishedPiece]) -> str:
    """Return finished pieces of files as the text of a reply that is not whole."""
    read = (piece for piece in pieces if piece.level == 0)
    return "\n\n".join(f"## {title_of(piece.file, piece.lines)}\n\n{piece.reply}" for piece in read)


def coverage_notes(state: JobState) -> tuple[str, ...]:
    """Return what was read and what was left out as sentences, for a transcript."""
    coverage = state.coverage
    read = (
        f"Files: {', '.join(state.named)}; read: {counted(coverage.pieces, 'piece')}, "
        f"{counted(coverage.tokens, 'token')}."
    )
    return (
        read,
        *break_notes(state),
        *(f"Left out: {left_out_line(each)}." for each in coverage.left_out),
    )


def break_notes(state: JobState) -> tuple[str, ...]:
    """Return how far a job had come that is over before all of its files were read."""
    if not 0 < state.done < state.planned:
        return ()
    about = "" if state.is_planned else "about "
    return (f"It ended after {state.done} of {about}{counted(state.planned, 'piece')}.",)


def left_out_line(part: LeftOutPart) -> str:
    """Return what was left out, and why."""
    return f"{title_of(part.file, part.lines)} ({part.why})"


def title_of(file: str, lines: str | None) -> str:
    """Return what a result is of, as people say it."""
    return f"{file}, lines {lines}" if lines else file
