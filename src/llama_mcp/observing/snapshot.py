"""All that a page shows which looks again and again: what goes on now, and what came since."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from llama_mcp.errors import LlamaMCPError
from llama_mcp.observing.overview import Overview, overview, without_others
from llama_mcp.observing.samples import Sample
from llama_mcp.sessions.recent_turns import EndedTurn
from llama_mcp.sessions.texts import utc_text

if TYPE_CHECKING:
    from llama_mcp.observing.observer import Observer
    from llama_mcp.sessions.archive import Archive

# More would not be told apart in a plot.
MOST_ENDED = 200


class Snapshot(Overview, frozen=True):
    """One look; the next one is told only what came after it."""

    at_utc: str
    ended: list[EndedTurn] = []
    """Newest first."""
    samples: list[Sample] = []
    """Oldest first."""


async def snapshot(
    observer: "Observer",
    archive: "Callable[[], Archive | None]",
    since_utc: str,
    *,
    owner: str | None,
    asker: str,
) -> Snapshot:
    """Return what goes on; nothing is started, woken or made for it.

    Args:
        observer: as for `overview`, and the next.
        archive: likewise.
        since_utc: of turns and samples only those after that moment, `at_utc` of an earlier look;
            empty for the newest.
        owner: whose turns; None for all.
        asker: who asks; conversations of others are not named.
    """
    at_utc = utc_text(time.time())
    seen = await overview(observer, archive, owner=owner, asker=asker)
    ended: list[EndedTurn] = []
    problems = list(seen.problems)
    try:
        if archive() is not None:
            recent = await observer.recent_turns(MOST_ENDED, since_utc, owner=owner)
            ended = [without_others(turn, asker) for turn in recent.ended]
    except LlamaMCPError as error:
        problems = list(dict.fromkeys([*problems, error.situation]))
    samples = observer.samples(seen.metrics.model or "").since(since_utc) if seen.metrics else []
    now = dict(seen) | {"problems": problems}
    return Snapshot(**now, at_utc=at_utc, ended=ended, samples=samples)
