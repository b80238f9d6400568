"""The task that waits for a run to get ready: one at a time for each run and process."""

from pathlib import Path

from anyio.abc import TaskGroup

from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.starting.launcher import Launcher
from llama_mcp.llama_server.starting.loading import Loading


class Watches:
    """Watches the run that loads, whichever process has started it."""

    def __init__(self, attachment: Attachment, launcher: Launcher, tasks: TaskGroup) -> None:
        """Take what it works with.

        Args:
            attachment: the connection, and where states are read.
            launcher: starts again what a failed run has replaced.
            tasks: where runs are watched.
        """
        self.attachment = attachment
        self._launcher = launcher
        self._tasks = tasks
        # Of each run that was watched; those of runs that are over go when another is begun.
        self._watched: dict[Path, Loading] = {}

    async def of(self, run: Run) -> Loading:
        """Return the watch over the run, begun now if there is none."""
        # One that is over is watched again when the record of how it came out is lost.
        watched = self._watched.get(run.folder)
        if watched is None or watched.is_over:
            self._watched = {at: each for at, each in self._watched.items() if not each.is_over}
            client = await self.attachment.connect(run)
            # Another call may have begun it while this one connected.
            if (other := self._watched.get(run.folder)) is not None:
                return other
            watched = Loading(run, client, self.attachment, self._launcher.restore)
            self._watched[run.folder] = watched
            self._tasks.start_soon(watched.watch)
        return watched
