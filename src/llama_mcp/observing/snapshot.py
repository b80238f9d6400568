"""All that a page shows which looks again and again: what goes on now, and what came since."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from llama_mcp.observing.overview import Ended, Overview, overview_and_ended
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
    """Return what goes on; nothing is started, woken or made for it, and the archive read once.

    Args:
        observer: as for `overview`, and the next.
        archive: likewise.
        since_utc: of turns and samples only those after that moment, `at_utc` of an earlier look;
            empty for the newest.
        owner: whose turns; None for all.
        asker: who asks; conversations of others are not named.
    """
    at_utc = utc_text(time.time())
    wanted = Ended(MOST_ENDED, since_utc)
    seen, ended = await overview_and_ended(
        observer, archive, None, wanted, owner=owner, asker=asker
    )
    samples = observer.samples(seen.metrics.model or "").since(since_utc) if seen.metrics else []
    return Snapshot(**dict(seen), at_utc=at_utc, ended=ended, samples=samples)
