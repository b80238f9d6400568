"""What is kept on disk of sessions' prompts, over all models: forgotten with them, and swept."""

import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.keeper import kv_files, lease_locks, run_dir
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.fields import count_or_none, member
from llama_mcp.llama_server.api.slots import can_sleep
from llama_mcp.llama_server.runs.records import Launch
from llama_mcp.llama_server.runs.run import read_launch, run_folders
from llama_mcp.llama_server.saved_kv import store
from llama_mcp.settings import LlamaServerSettings

logger = logging.getLogger(__name__)

_MIB = 2**20
# Returns those of the sessions that there are still.
ExistingIds = Callable[[Collection[str]], Awaitable[frozenset[str]]]


class KeptPrompts:
    """The saved prompt caches of one home."""

    def __init__(self, settings: LlamaServerSettings) -> None:
        """Take the operator's settings, which say where they are and how much room they have."""
        self._settings = settings

    @property
    def _folder(self) -> Path:
        return self._settings.state_dir / kv_files.FOLDER

    async def forget(self, session_id: str, runs: Collection[str]) -> None:
        """Remove what is kept of a session that is deleted, and have no more of it saved.

        Args:
            session_id: the session.
            runs: the launches of llama-server that have served it.
        """
        # First, so that a keeper which saves right now sees it or its files are seen here.
        for run in runs:
            await self._have_none_saved(self._settings.runs_dir / run)
        await anyio.to_thread.run_sync(store.forget_session, self._folder, session_id, runs)

    async def sweep(self, existing: ExistingIds) -> None:
        """Remove what nobody will use: of deleted sessions, unproved, too much, or unused.

        What is wrong with settings, archive or folders, the calls that need them say.
        """
        try:
            await self._sweep(existing)
        except (LlamaMCPError, OSError) as error:
            logger.info("Saved prompt caches were not swept: %s", error)

    async def _sweep(self, existing: ExistingIds) -> None:
        self._settings.check(("kv_disk_mb",))
        folder, limit_bytes = self._folder, self._settings.kv_disk_mb * _MIB
        if not limit_bytes:
            # What was launched before the setting saves nothing any more, whoever stops it.
            for run in await anyio.to_thread.run_sync(run_folders, self._settings.runs_dir):
                await self._have_none_saved(run, whatever=True)
        named = await anyio.to_thread.run_sync(store.named_sessions, folder, abandon_on_cancel=True)
        there = await existing(named) if named else frozenset()
        work = partial(
            store.sweep,
            folder,
            self._settings.runs_dir,
            limit_bytes,
            lambda session_id: session_id in named and session_id not in there,
        )
        await anyio.to_thread.run_sync(work, abandon_on_cancel=True)

    async def _have_none_saved(self, folder: Path, *, whatever: bool = False) -> None:
        """Note in a run that lives that what its slots hold now is not to be saved.

        Args:
            folder: that of the run.
            whatever: nor is what they will hold.
        """
        launch = await anyio.to_thread.run_sync(_launch_of_live_run, folder)
        if launch is None:
            return
        last = None if whatever else await _last_task(launch)
        path = str(folder / run_dir.FORGOTTEN)
        try:
            await anyio.to_thread.run_sync(run_dir.write_whole, path, {"last_task": last})
        except OSError as error:
            logger.warning("A deleted session may be saved with its run: %s", error)


def _launch_of_live_run(folder: Path) -> Launch | None:
    """Return the launch of a run whose prompts are saved when it is stopped."""
    if not lease_locks.is_locked(str(folder / run_dir.KEEPER_LOCK)):
        return None
    with suppress(OSError, ValueError):
        launch = read_launch(folder)
        return launch if launch.saved_kv is not None else None
    return None


async def _last_task(launch: Launch) -> int | None:
    """Return the number of the last request that any idle slot has served; None when unknown.

    What serves a later one holds another prompt. A model that sleeps holds none, and asking for its
    slots would wake it.
    """
    if can_sleep(launch.config):
        return None
    client = LlamaServerClient(launch.url, launch.api_key)
    try:
        slots: Any = await client.get_or_none("/slots")
    finally:
        await client.aclose()
    if not isinstance(slots, list):
        return None
    idle = [slot for slot in slots if member(slot, "is_processing") is False]
    return max((count_or_none(member(slot, "id_task")) or 0 for slot in idle), default=0)
