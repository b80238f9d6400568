"""llama-server's log as somebody follows it: its end, what comes, and the next launch's."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio.to_thread

from llama_mcp.llama_server.diagnosis.log import log_size, read_log
from llama_mcp.llama_server.diagnosis.new_lines import NewLines
from llama_mcp.llama_server.status import Level, ServerLog

if TYPE_CHECKING:
    from llama_mcp.llama_server.engines import Engines


class FollowedLog:
    """The log of the llama-server that runs, or ran last, and of those after it."""

    def __init__(
        self, engines: "Engines", *, level: Level | None = None, model: str | None = None
    ) -> None:
        """Follow it.

        Args:
            engines: know what runs.
            level: only lines of this level and worse.
            model: of which model; None for what was started last.
        """
        self._engines, self._level, self._model = engines, level, model
        self._new: NewLines | None = None
        self._shown: Sequence[str] = ()

    async def end(self, lines: int) -> ServerLog | None:
        """Return its last lines; None when there is no log yet."""
        seen = await self._engines.observe(self._model)
        if seen is None:
            return None
        path = seen.run.log_path
        self._new = NewLines(path, await anyio.to_thread.run_sync(log_size, path))
        log = await anyio.to_thread.run_sync(read_log, path, lines, self._level)
        self._shown = log.lines
        return log

    async def news(self) -> tuple[str | None, list[str]]:
        """Return what has come: the path of another log when one was begun, and lines."""
        rest = await self._read()
        seen = await self._engines.observe(self._model)
        if seen is None or (self._new is not None and self._new.path == seen.run.log_path):
            return None, rest
        if rest:  # all of the log before it, first
            return None, rest
        self._new = NewLines(seen.run.log_path, 0)
        return str(seen.run.log_path), await self._read()

    async def _read(self) -> list[str]:
        if self._new is None:
            return []
        lines = await anyio.to_thread.run_sync(self._new.read, self._level)
        shown, self._shown = self._shown, ()
        return lines[_repeated(shown, lines) :]


def _repeated(shown: Sequence[str], lines: Sequence[str]) -> int:
    """Return how many of the lines were the last ones that were shown."""
    for count in range(min(len(shown), len(lines)), 0, -1):
        if list(shown[-count:]) == list(lines[:count]):
            return count
    return 0
