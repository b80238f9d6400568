"""A ranking in words: a line for each of the best."""

from llama_mcp.ranking.ranking import RankedRow, Ranking
from llama_mcp.visible_text import visible_line


def ranking_text(ranking: Ranking) -> str:
    """Return a ranking, a line for each row."""
    head = f"[{ranking.ranked} ranked by {ranking.by}]"
    return "\n".join([head, *map(_line, ranking.rows), *ranking.notes])


def _line(row: RankedRow) -> str:
    place = f"[{row.index}]" if row.file is None else f"{row.file}:{row.lines}"
    return f"{row.score} {place} {visible_line(row.begins)}"
