"""A ranking in words: a line for each of the best."""

from llama_mcp.ranking.ranking import RankedRow, Ranking
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import counted

# What is left out of a text has its number there.
_LEFT_OUT_NAMED = 10
_SCORES = {"embedding": "cosine", "rerank": "its own scores"}


def ranking_text(ranking: Ranking) -> str:
    """Return a ranking, a line for each row."""
    of = counted(ranking.ranked, "text")
    head = f"[{len(ranking.rows)} of {of}, by {ranking.model}: {_SCORES[ranking.kind]}]"
    return "\n".join([head, *map(_line, ranking.rows), *_left_out(ranking), *ranking.notes])


def _line(row: RankedRow) -> str:
    place = f"[{row.index}]" if row.file is None else f"{row.file}:{row.lines}"
    return f"{row.score} {place} {visible_line(row.begins)}"


def _left_out(ranking: Ranking) -> list[str]:
    named = [f"Left out: {each.file} ({each.why})" for each in ranking.left_out[:_LEFT_OUT_NAMED]]
    more = len(ranking.left_out) - _LEFT_OUT_NAMED
    return [*named, f"Left out: {counted(more, 'more file')}."] if more > 0 else named
