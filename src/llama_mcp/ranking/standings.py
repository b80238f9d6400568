"""How the passages of one ranking stand so far, and what comes of it in the end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import nlargest

from llama_mcp.llama_server.rank_server import RankKind, RankServer
from llama_mcp.ranking.errors import NoScoresError, NothingToRankError
from llama_mcp.ranking.passages import Passage, Passages
from llama_mcp.ranking.ranking import RankedRow, Ranking
from llama_mcp.wording import counted, first_few

_SCORE_DIGITS = 4
_SCORES: dict[RankKind, str] = {"embedding": "cosine", "rerank": "rerank scores"}
# How many of the files that were left out are told with their reasons.
_FILES_TOLD = 20
# How many of those that were cut a note names.
_NAMED = 10


@dataclass(slots=True)
class Standings:
    """The best so far."""

    top_n: int
    server: RankServer | None = None
    """Once its model has loaded."""
    done: int = 0
    """Texts and pieces that were read."""
    why_not_kept: str = ""
    """Why the same call again would come no further, a clause; empty when it would."""
    without_score: int = 0
    cut: list[str] = field(default_factory=list)
    """The places of those that were longer than what the model reads."""
    _best: list[tuple[float, int, Passage]] = field(default_factory=list)

    def take(self, passages: Sequence[Passage], scores: Sequence[float | None]) -> None:
        """Add passages with their scores; of equal ones the earlier stands higher."""
        for passage, score in zip(passages, scores, strict=True):
            self.done += 1
            if score is None:
                self.without_score += 1
            else:
                self._best.append((score, -self.done, passage))
        self._best = nlargest(self.top_n, self._best, key=lambda row: row[:2])

    def ranking(self, server: RankServer, passages: Passages, *, is_query_cut: bool) -> Ranking:
        """Return the best, and what the caller should know.

        Raises:
            NothingToRankError: there was no text.
            NoScoresError: the model gave nothing usable for any.
        """
        if self.done == 0:
            raise NothingToRankError(passages.why_none)
        if not self._best:
            raise NoScoresError(server.model, "any of the texts")
        notes = [*server.notes, *self._notes(server, passages, is_query_cut), *passages.notes]
        return Ranking(
            by=f"{server.model} ({_SCORES[server.kind]})",
            rows=tuple(_row(score, passage) for score, _, passage in self._best),
            ranked=self.done - self.without_score,
            notes=tuple(notes),
        )

    def _notes(self, server: RankServer, passages: Passages, is_query_cut: bool) -> list[str]:
        notes = []
        reads = f"longer than what {server.model} reads of it, and was cut"
        if is_query_cut:
            notes.append(f"The query is {reads}.")
        if self.cut:
            notes.append(
                f"Of {first_few(self.cut, _NAMED)} only the beginning counts: {server.model} reads "
                f"{server.input_limit} tokens at most."
            )
        notes += [f"{each.name} left out: {each.why}." for each in passages.left_out[:_FILES_TOLD]]
        if (more := len(passages.left_out) - _FILES_TOLD) > 0:
            notes.append(f"{counted(more, 'more file')} left out so.")
        if passages.empty:
            notes.append(f"{counted(passages.empty, 'text')} without a word left out.")
        if self.without_score:
            without = counted(self.without_score, "text or piece has", "texts or pieces have")
            notes.append(f"{without} no score: {server.model} gave no usable number.")
        return notes


def _row(score: float, passage: Passage) -> RankedRow:
    return RankedRow(
        score=round(score, _SCORE_DIGITS),
        index=passage.index,
        file=passage.file,
        lines=passage.lines,
        begins=passage.beginning,
    )
