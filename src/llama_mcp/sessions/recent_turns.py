"""The records of turns for whoever looks at them: under way in any process, and ended last.

All are frozen. Titles and tails are texts of users and models.
"""

from enum import StrEnum

from pydantic import BaseModel

from llama_mcp.sessions.records import TurnStatus


class Stage(StrEnum):
    """What a turn under way does."""

    LOADING = "loading"
    """It waits for its model."""
    QUEUED = "queued"
    """It waits for a slot."""
    READING = "reading"
    """Its prompt is read."""
    GENERATING = "generating"


class TurnProgress(BaseModel, frozen=True):
    """How far a turn under way is, as only the process knows that generates it."""

    stage: Stage
    place: int | None = None
    """In that process's queue for a slot, 1 being next; None in llama-server's own queue."""
    prompt_tokens: int | None = None
    """Of the whole prompt; None until llama-server has told it."""
    prompt_tokens_read: int = 0
    """Of them, cached ones included."""
    generated_tokens: int = 0
    tokens_per_second: float | None = None
    """Of the reply so far; of a job, of the pieces that are generated now."""


class JobProgress(BaseModel, frozen=True):
    """How far a job over files is."""

    done: int = 0
    """Pieces of the files that are over."""
    planned: int = 0
    is_planned: bool = False
    """Whether that many were cut; before, it is a guess by the sizes of the files."""
    stage: str | None = None
    """What is done now when it is not reading pieces; a clause."""
    files: int = 0
    """Files that were read so far, and so are the tokens."""
    tokens: int = 0
    left_out: int = 0
    """Files, or parts of them, that no result covers."""


class UnderwayTurn(BaseModel, frozen=True):
    """A turn whose reply is being generated, by whichever process."""

    session_id: str
    title: str
    turn: int
    owner: str
    model: str | None = None
    started_at_utc: str
    pid: int | None = None
    """The process that asked for it; None when it is not known."""
    is_left: bool = False
    """That process has ended, and llama-server may go on with the reply."""
    is_cancel_asked: bool = False
    progress: TurnProgress | None = None
    """As it was noted last, about a second ago at most; None in a turn's first second."""
    tail: str = ""
    """The end of the reply so far, or of the reasoning while there is no reply."""
    is_reasoning: bool = False
    """The tail is reasoning."""
    job: JobProgress | None = None


class EndedTurn(BaseModel, frozen=True):
    """A turn that is over, with its figures."""

    session_id: str
    title: str
    turn: int
    owner: str
    status: TurnStatus
    model: str | None = None
    started_at_utc: str
    ended_at_utc: str
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    first_token_ms: float | None = None
    total_ms: float | None = None
    prompt_tokens_per_second: float | None = None
    tokens_per_second: float | None = None
    job: JobProgress | None = None


class RecentTurns(BaseModel, frozen=True):
    """The turns of all processes at one moment."""

    underway: tuple[UnderwayTurn, ...] = ()
    """Oldest first."""
    ended: tuple[EndedTurn, ...] = ()
    """Newest first."""
