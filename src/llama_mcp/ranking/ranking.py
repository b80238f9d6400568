"""What is asked of a ranking, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from llama_mcp.llama_server.rank_server import RankKind


@dataclass(frozen=True, slots=True)
class RankRequest:
    """What is ranked, by what."""

    query: str
    texts: Sequence[str]
    top_n: int
    model: str | None = None
    """The only model that will do, by path or name; None leaves the choice to what runs."""


class RankedRow(BaseModel, frozen=True):
    """A text, or a piece of a file, with how well it answers the query."""

    score: float
    """The cosine of two vectors, or a rerank model's own number; the greater the better."""
    index: int | None = None
    """Which of the texts it is, from 0 on."""
    file: str | None = None
    lines: str | None = None
    """Of the file, such as 10-24."""
    begins: str
    """Its first words."""


class Unranked(BaseModel, frozen=True):
    """A file that was not read, and why."""

    file: str
    why: str


class Ranking(BaseModel, frozen=True):
    """The best of what was ranked, the best first."""

    model: str
    kind: RankKind
    """A rerank model's scores are its own, not between -1 and 1."""
    rows: tuple[RankedRow, ...] = ()
    ranked: int
    """How many texts or pieces were."""
    left_out: tuple[Unranked, ...] = ()
    notes: tuple[str, ...] = ()
