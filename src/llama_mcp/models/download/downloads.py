"""The downloads of this home: begun, watched and ended by any llama-mcp, each in its own folder."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread

from llama_mcp.errors import PathNotAllowedError
from llama_mcp.models.download.access import HubAccess, read_access
from llama_mcp.models.download.asked import Asked, read_name
from llama_mcp.models.download.download import Bytes, Download, DownloadFile, Quant
from llama_mcp.models.download.errors import DownloadFailedError, DownloadsForbiddenError
from llama_mcp.models.download.program import Program
from llama_mcp.models.download.records import Progress, Request
from llama_mcp.models.download.transfer.cache import size_of
from llama_mcp.paths import check_path
from llama_mcp.settings import Settings

POLL_SECONDS = 0.15
CANCEL_SECONDS = 5.0
_SHORTEST_RATE = 1.0

Report = Callable[[Download], Awaitable[None]]


class Downloads:
    """What `download_model` does."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        available_bytes: Callable[[], Awaitable[int | None]],
    ) -> None:
        """Take what is needed of the house.

        Args:
            settings: the operator's.
            environment: what we were started with; it has the hub's variables.
            available_bytes: tells how much memory a model may take; None where nobody knows.
        """
        self._settings = settings
        self._environment = environment
        self._available_bytes = available_bytes
        self._programs: dict[Path, Program] = {}

    async def fetch(self, model: str, *, wait_seconds: float, report: Report) -> Download:
        """Begin or go on with a download, and wait for it, up to so many seconds.

        Raises:
            LlamaMCPError: downloads are forbidden, the name is none, or the download has failed.
        """
        access, asked = await anyio.to_thread.run_sync(self._opened, model)
        program = self._program(asked, access)
        async with program.starting:
            await _while(program.is_ending)
            if not await anyio.to_thread.run_sync(program.is_at_work):
                if (ended := await anyio.to_thread.run_sync(program.untold_end)) is not None:
                    program.has_told = True
                    return _outcome(asked, ended)
                before = await anyio.to_thread.run_sync(_complete, program)
                if before is not None and not before.is_from_cache:
                    return _told(asked, before, "complete")
                available_bytes = None if asked.quant else await self._available_bytes()
                request = _request(asked, access, available_bytes)
                await anyio.to_thread.run_sync(program.start, request, access.token)
        with anyio.move_on_after(wait_seconds):
            while True:
                now = await anyio.to_thread.run_sync(_look, program)
                if now.state != "downloading":
                    break
                await report(_told(asked, now, "downloading"))
                await anyio.sleep(POLL_SECONDS)
        now = await anyio.to_thread.run_sync(_look, program)
        program.has_told = now.state != "downloading"
        return _outcome(asked, now)

    async def cancel(self, model: str) -> Download:
        """End a download, whoever has begun it; what came is kept. Raises as `fetch` does."""
        access, asked = await anyio.to_thread.run_sync(self._opened, model)
        program = self._program(asked, access)
        if await anyio.to_thread.run_sync(program.is_at_work):
            program.ask_to_end()
            await _while(program.is_at_work)
        if complete := await anyio.to_thread.run_sync(_complete, program):
            return _told(asked, complete, "complete")
        ended = await anyio.to_thread.run_sync(program.progress)
        if ended is None:
            names = await anyio.to_thread.run_sync(self._underway)
            there = f"Under way: {', '.join(names)}." if names else "None is under way."
            raise DownloadFailedError(f"There is no download of {asked.name} to cancel. {there}")
        program.has_told = True
        if ended.state == "failed":
            raise DownloadFailedError(f"There is nothing to cancel, as it has failed: {ended.why}")
        return _told(asked, ended, "cancelled")

    def _underway(self) -> list[str]:
        """Return what is being downloaded now, by the names that it was asked for by."""
        folders = sorted((self._settings.state_dir / "downloads").glob("*"))
        programs = [Program(folder, self._environment) for folder in folders]
        requests = [program.request() for program in programs if program.is_at_work()]
        return [Asked(one.repo, one.quant, one.file, one.revision).name for one in requests if one]

    def _opened(self, model: str) -> tuple[HubAccess, Asked]:
        self._settings.check(("downloads", "home"))
        if not self._settings.downloads:
            raise DownloadsForbiddenError
        access = read_access(self._environment)
        asked = read_name(model, access.endpoint)
        allowed = self._settings.allowed_paths
        try:
            check_path(access.cache, "the cache of downloads", allowed)
        except PathNotAllowedError as error:
            raise DownloadFailedError(
                "The cache of Hugging Face, into which models are downloaded, is outside the "
                f"folders that the operator allows: {', '.join(map(str, allowed))}. Only the "
                "operator can change LLAMA_MCP_ALLOWED_PATHS, or name a folder inside them in "
                "HF_HUB_CACHE."
            ) from error
        return access, asked

    def _program(self, asked: Asked, access: HubAccess) -> Program:
        """Return the program for what was asked; it has one folder, however that is spelled."""
        told = "\n".join(
            (asked.repo, asked.quant, asked.file, asked.revision, str(access.cache))
        ).lower()
        name = re.sub(r"[^a-z0-9.]+", "-", asked.name.lower())[:60].strip("-.")
        folder = self._settings.state_dir / "downloads"
        folder /= f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
        return self._programs.setdefault(folder, Program(folder, self._environment))


async def _while(holds: Callable[[], bool]) -> None:
    """Wait as long as something holds that is over when a program has ended as it was asked to."""
    with anyio.move_on_after(CANCEL_SECONDS):
        while await anyio.to_thread.run_sync(holds):
            await anyio.sleep(POLL_SECONDS)


def _request(asked: Asked, access: HubAccess, available_bytes: int | None) -> Request:
    return Request(
        repo=asked.repo,
        quant=asked.quant,
        file=asked.file,
        revision=asked.revision,
        endpoint=access.endpoint,
        cache=str(access.cache),
        is_offline=access.is_offline,
        available_bytes=available_bytes,
    )


def _look(program: Program) -> Progress:
    """Return how far the download is; one whose program is gone has failed."""
    is_at_work, recorded = program.is_at_work(), program.progress()
    if is_at_work:
        return (
            recorded if recorded and recorded.state == "downloading" else Progress(doing="starting")
        )
    recorded = program.progress()  # it may have ended between the two looks
    if recorded is not None and recorded.state != "downloading":
        return recorded
    log = program.log_end()
    why = (
        "The process that downloads has ended before its time, perhaps killed"
        + (f"; it printed: {log}" if log else "")
        + ". What has come is kept: call again, and it goes on from there."
    )
    return Progress(state="failed", why=why)


def _complete(program: Program) -> Progress | None:
    """Return the record of a complete download whose files are still as they were."""
    recorded = program.progress()
    if recorded is None or recorded.state != "complete" or not recorded.files:
        return None
    # The name of the first file ends as its path in the repository does.
    depth = recorded.files[0][0].count("/") + 1
    top = Path(*Path(recorded.path).parts[:-depth])
    is_there = all(size_of(str(top / name)) == size for name, size in recorded.files)
    return recorded if is_there else None


def _outcome(asked: Asked, progress: Progress) -> Download:
    if progress.state == "failed":
        raise DownloadFailedError(progress.why)
    return _told(asked, progress, progress.state)


def _told(
    asked: Asked, progress: Progress, state: Literal["downloading", "complete", "cancelled"]
) -> Download:
    rate = progress.bytes_per_second if state == "downloading" else 0.0
    left = max(0, progress.bytes_total - progress.bytes_done)
    is_complete = state == "complete"
    download = Download(
        model=asked.name,
        state=state,
        model_path=progress.path if is_complete else None,
        quant=progress.quant or None,
        bytes=Bytes(
            done=progress.bytes_total if is_complete else progress.bytes_done,
            total=progress.bytes_total or None,
            per_second=round(rate) if rate > _SHORTEST_RATE else None,
            seconds_left=round(left / rate, 1) if rate > _SHORTEST_RATE and left else None,
        ),
        files=[DownloadFile(name=name, size_bytes=size) for name, size in progress.files],
        other_quants=[Quant(quant=quant, size_bytes=size) for quant, size in progress.others],
        notes=progress.notes,
    )
    if state == "downloading":
        download._doing = progress.doing
    return download
