"""What is done beside the rooms while a server has them open.

Notes for its log, replies that other processes have left, and leases that nobody needs.
"""

import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.keeper import run_dir
from llama_mcp.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_mcp.llama_server.supervisor import Supervisor
    from llama_mcp.sessions.archive import Archive
    from llama_mcp.turns.jobs.job import Job
    from llama_mcp.turns.turn import Turn

logger = logging.getLogger(__name__)

# From then on the keeper counts the time that the operator lets llama-server linger.
UNUSED_SECONDS = 60.0
# A look takes some file times.
UNUSED_POLL_SECONDS = 5.0


class Rooms(Protocol):
    """What of the rooms takes part in it."""

    settings: Settings

    @property
    def archive(self) -> "Archive":
        """All sessions."""

    async def take_finished(self) -> None:
        """Take into the archive what has ended of the replies whose processes have."""

    @property
    def supervisor(self) -> "Supervisor":
        """The owner of llama-server's life."""

    def own_turns(self) -> "Sequence[Turn | Job]":
        """Return the turns of this process that are not over."""


async def log_missing_folders(settings: Settings) -> None:
    """Say on stderr which folders of the settings are not there, and what the file of models is."""
    from llama_mcp.models.settings_on_disk import notes_on_disk

    # Abandoned at the end: a folder on a network that hangs must not keep the process.
    for note in await anyio.to_thread.run_sync(notes_on_disk, settings, abandon_on_cancel=True):
        logger.warning("%s", note)


async def look_for_finished(rooms: Rooms) -> None:
    """Open the archive if other processes may have left replies for it."""
    with suppress(LlamaMCPError):
        if await has_streams(rooms.settings):
            assert rooms.archive


async def take_finished(rooms: Rooms) -> None:
    """Take what was left; what is wrong with archive or folders, the calls that need them say."""
    try:
        await rooms.take_finished()
    except LlamaMCPError as error:
        logger.info("What other processes have left was not looked at: %s", error)


async def has_streams(settings: Settings) -> bool:
    """Tell whether other processes may have left replies for the archive."""
    look = partial(run_dir.have_streams, str(settings.runs_dir))
    # Abandoned at the end: a folder on a network that hangs must not keep the process.
    return await anyio.to_thread.run_sync(look, abandon_on_cancel=True)


async def give_leases_back(rooms: Rooms) -> None:
    """Give back leases while nobody has a turn, until cancelled; the next turn takes one again.

    Over stdio a lease ends with its client's window. A process that serves many never ends, and
    with its lease llama-server would stay for ever.
    """
    while True:
        await anyio.sleep(UNUSED_POLL_SECONDS)
        try:
            in_use = {turn.serving_id for turn in rooms.own_turns()}
            await rooms.supervisor.attachment.give_back(in_use, UNUSED_SECONDS)
        except (LlamaMCPError, OSError) as error:
            logger.info("No lease was given back: %s", error)
