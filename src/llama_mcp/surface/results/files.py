"""A job over files as its caller is told of it: what is new, what it covers, how far it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from llama_mcp.sessions.jobs import (
    Coverage,
    FileResult,
    JobState,
    break_notes,
    left_out_line,
)
from llama_mcp.sessions.records import TurnStatus, Usage
from llama_mcp.surface.results.hints import Offered, hint
from llama_mcp.surface.results.statuses import SavedTo, saved_to_of, status_of
from llama_mcp.turns.jobs.saving import results_text
from llama_mcp.turns.replies.reply import ChatReply
from llama_mcp.wording import counted

# Of more parts that were left out, a result only says how many there are.
SHOWN_LEFT_OUT = 30


class ToldFiles(BaseModel, frozen=True):
    """What a caller is told of a job."""

    model_config = ConfigDict(title="FilesResult")

    session_id: str
    turn: int
    status: str
    """A ReplyStatus; the catalogue lists them with another result."""
    reply: str | None = None
    """None when it is told as data, for each file, or is in a file."""
    parsed: Any = None
    results: list[FileResult] = []
    """Of each file; of a job that broke off, of each finished piece."""
    coverage: Coverage | None = None
    saved_to: SavedTo | None = None
    usage: Usage = Usage()
    notes: list[str] = []


@dataclass(frozen=True, slots=True)
class ToldJob:
    """What results have told of one job."""

    turn: int
    results: frozenset[int] = frozenset()
    """The hash of each: files and lines may be named twice."""
    notes: frozenset[str] = frozenset()
    is_end_told: bool = False


def told_after(reply: ChatReply, job: JobState) -> ToldJob:
    """Return what a caller has been told of a job that was told this much of it."""
    results = frozenset(map(_key, _told_results(reply, job)))
    return ToldJob(reply.turn, results, frozenset(reply.notes), reply.is_over)


def _told_results(reply: ChatReply, job: JobState) -> tuple[FileResult, ...]:
    """Return the results that are told at all: what goes to a file costs its caller nothing."""
    goes_to_file = reply.save_to is not None and (reply.is_in_file or not reply.is_over)
    return () if goes_to_file else job.results


def what_is_new_of_job(
    reply: ChatReply, job: JobState, told: ToldJob, offered: Offered
) -> tuple[ToldFiles, str]:
    """Return structure and text of what was not told of a job."""
    saved_to = saved_to_of(reply)
    is_new_end = reply.is_over and not told.is_end_told
    results = [each for each in _told_results(reply, job) if _key(each) not in told.results]
    has_one = is_new_end and reply.status is TurnStatus.COMPLETE and not job.each and not saved_to
    result = ToldFiles(
        session_id=reply.session_id,
        turn=reply.turn,
        status=status_of(reply).value,
        reply=reply.reply if has_one and reply.parsed is None else None,
        parsed=reply.parsed if has_one else None,
        results=results,
        coverage=_shown(job.coverage) if is_new_end else None,
        saved_to=saved_to if is_new_end else None,
        usage=reply.usage if is_new_end else Usage(),
        notes=[
            *(note for note in reply.notes if note not in told.notes),
            *_how_told(reply, job, told, offered),
        ],
    )
    return result, files_text(result, reply.reply if has_one else "")


def progress_line(job: JobState) -> str:
    """Return how far a job is."""
    if job.stage:
        return job.stage
    about = "" if job.is_planned else "about "
    return f"piece {min(job.done + 1, job.planned)} of {about}{job.planned}"


def files_text(result: ToldFiles, reply: str) -> str:
    """Return what a caller is told of a job in words.

    Args:
        result: the same as data.
        reply: the reply of a job that has one, to the character.
    """
    lines = [reply] if reply else []
    if result.results and not reply:
        lines.append(results_text(result.results))
    lines.append("[" + ", ".join(filter(None, _figures(result))) + "]")
    if result.coverage and result.coverage.left_out:
        left_out = map(left_out_line, result.coverage.left_out)
        lines.append(f"Left out: {'; '.join(left_out)}")
    return "\n".join([*lines, *(f"Note: {note}" for note in result.notes)])


def _key(result: FileResult) -> int:
    return hash(result.model_dump_json())


def _shown(coverage: Coverage) -> Coverage:
    return coverage.model_copy(update={"left_out": coverage.left_out[:SHOWN_LEFT_OUT]})


def _how_told(reply: ChatReply, job: JobState, told: ToldJob, offered: Offered) -> Iterator[str]:
    """Give notes that say what is missing here, and how to get it."""
    more = len(job.coverage.left_out) - SHOWN_LEFT_OUT
    if reply.is_over and not told.is_end_told and more > 0:
        names = hint("read_session", "names them", offered)
        yield f"{more} more were left out{names}."
    if reply.is_over and not told.is_end_told:
        yield from break_notes(job)
    if reply.is_over and (told.is_end_told or told.results):
        whole = hint("read_session", "has it whole", offered)
        what = "All" if told.is_end_told else "A part"
        yield f"{what} of the result was told before{whole}."
    if reply.is_over:
        return
    gives = "tells when it is written" if reply.save_to else "gives the rest"
    line = progress_line(job)
    if reply.load:
        yield f"The model is still loading, for {reply.load.seconds:.0f} s now."
    elif reply.place:
        yield f"Waits for a slot, {reply.place}."
    yield f"{line[0].upper()}{line[1:]}; the job goes on, and wait_for_reply {gives}."


def _figures(result: ToldFiles) -> Iterator[str]:
    """Give the parts of the line below a result; what is not known is empty."""
    usage, coverage, saved = result.usage, result.coverage, result.saved_to
    yield f"session_id={result.session_id}"
    yield result.status
    yield f"saved_to={saved.path} ({counted(saved.size_bytes, 'byte')})" if saved else ""
    if coverage:
        pieces = counted(coverage.pieces, "piece")
        yield f"{counted(coverage.files, 'file')} in {pieces}, {coverage.tokens} tokens read"
    if usage.prompt_tokens:
        cached = f" ({usage.cached_tokens} of them from the cache)" if usage.cached_tokens else ""
        yield f"{counted(usage.prompt_tokens, 'prompt token')}{cached}"
    if usage.completion_tokens:
        yield counted(usage.completion_tokens, "reply token")
