"""The archive's file, used from the event loop without waiting for a disk.

Every call runs on a thread of the archive's own, so that the database has one user.
"""

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import anyio

from llama_mcp.sessions.archive_thread import ArchiveThread
from llama_mcp.sessions.patience import until_unlocked
from llama_mcp.sessions.sqlite.database import Database
from llama_mcp.sessions.sqlite.store import Store

P = ParamSpec("P")
T = TypeVar("T")


class ArchiveFile:
    """One file that several processes may use at once."""

    def __init__(self, path: Path, *, may_replace: bool = True) -> None:
        """Take the file.

        Args:
            path: where it is.
            may_replace: a damaged one is moved aside, and a new one begun; else it is refused.
        """
        self._database = Database(path, may_replace=may_replace)
        self._thread = ArchiveThread()

    def notice(self) -> str | None:
        """Return, once, what the user should know: that a damaged file was moved aside."""
        return self._database.take_notice()

    def exists(self) -> bool:
        """Return whether the archive was ever used; asking does not create it."""
        return self._database.exists()

    def last_change(self) -> Hashable:
        """Return a value that changes with every write to the archive, by any process."""
        return self._database.last_change()

    def shorten_waits(self) -> None:
        """Wait for other processes only briefly from now on, because this process ends."""
        self._database.shorten_waits()

    async def close(self) -> None:
        """Close the file; the next use opens it again."""
        with anyio.CancelScope(shield=True):
            await self._thread.end(self._database.close)

    async def _run(
        self, work: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._patiently(
            lambda: self._database.run(lambda store: work(store, *args, **kwargs))
        )

    async def _patiently(self, work: Callable[[], T]) -> T:
        return await until_unlocked(
            lambda: self._thread.run(work),
            is_ending=lambda: self._database.has_short_waits,
        )
