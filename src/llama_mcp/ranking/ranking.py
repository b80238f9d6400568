"""What is asked of a ranking, and what comes of it."""

from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class RankRequest:
    """What is ranked, by what."""

    query: str
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


class Ranking(BaseModel, frozen=True):
    """The best of what was ranked, the best first."""

    by: str
    """The model, and what its scores are."""
    rows: tuple[RankedRow, ...] = ()
    ranked: int = 0
    """How many texts or pieces were."""
    notes: tuple[str, ...] = ()
    """What the caller should know, such as which files were left out, and why."""
