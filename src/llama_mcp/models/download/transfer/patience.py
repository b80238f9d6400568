"""How often something is tried again that may come right by itself, and how long is waited."""

import time
from collections.abc import Callable

from llama_mcp.models.download.errors import BusyHubError, CutOffError, DownloadFailedError
from llama_mcp.models.download.records import Progress
from llama_mcp.wording import lasting

# Half a second, doubled each time: 92 s until it is given up, unless bytes come in between.
FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
TRIES = 9
# The hub counts requests over five minutes; who is told to wait longer is told so.
MAX_ASKED_SECONDS = 330.0


class Patience:
    """Waiting before another try."""

    def __init__(
        self, what: str, tries: int = TRIES, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Take what is fetched, in words, how often it is tried, and what waits."""
        self._what = what
        self._tries = tries
        self._sleep = sleep
        self._failures = 0

    def wait_after(
        self, error: BusyHubError | CutOffError, progress: Progress, *, has_come: bool = False
    ) -> None:
        """Wait as long as the failure asks for.

        Args:
            error: what went wrong.
            progress: is told what is waited for.
            has_come: whether that try has brought something.

        Raises:
            DownloadFailedError: it has gone wrong too often, or the hub asks for too long.
        """
        self._failures = 1 if has_come else self._failures + 1
        asked = error.wait_seconds if isinstance(error, BusyHubError) else None
        if asked is not None and asked > MAX_ASKED_SECONDS:
            raise self._given_up(f"{error}. It asks to be asked again in {lasting(asked)}.")
        if self._failures >= self._tries:
            raise self._given_up(f"{error}, {self._failures} times in a row.")
        seconds = min(FIRST_SECONDS * 2 ** (self._failures - 1), LONGEST_SECONDS)
        if asked is not None:
            seconds = max(asked, FIRST_SECONDS)
        progress.doing = f"{error}; trying again in {lasting(seconds)}"
        self._sleep(seconds)
        progress.doing = ""

    def _given_up(self, why: str) -> DownloadFailedError:
        return DownloadFailedError(
            f"{self._what} was not fetched: {why} What has come is kept: call again later, and it "
            "goes on from there."
        )
