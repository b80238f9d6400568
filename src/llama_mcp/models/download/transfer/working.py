"""The work of the program: from a request to a model in the cache, or to why there is none."""

import errno
import os
import shutil
from pathlib import Path

from llama_mcp.models.download.asked import Asked
from llama_mcp.models.download.errors import (
    DISK_FULL,
    BusyHubError,
    CutOffError,
    DownloadFailedError,
)
from llama_mcp.models.download.records import Progress, Request
from llama_mcp.models.download.transfer.cache import RepositoryCache, repositories_in
from llama_mcp.models.download.transfer.choice import MAX_LISTED, Choice, choose
from llama_mcp.models.download.transfer.fetching import Fetching
from llama_mcp.models.download.transfer.hub import Hub, Repository
from llama_mcp.models.download.transfer.patience import Patience
from llama_mcp.wording import size_text

# Until the cache is looked at instead: 3.5 s, and what a connection takes to fail.
_TRIES_TO_ASK = 4
# Left free on a disk, for everything else that writes to it.
SPARE_BYTES = 64 * 2**20


def work(request: Request, token: str | None, progress: Progress) -> None:
    """Fetch what was asked for; how it ends is in the progress."""
    try:
        _fetch(request, token, progress)
        progress.state = "complete"
    except DownloadFailedError as error:
        progress.state, progress.why = "failed", str(error)
    except OSError as error:
        progress.state, progress.why = "failed", refused(error, request)


def _fetch(request: Request, token: str | None, progress: Progress) -> None:
    asked = Asked(request.repo, request.quant, request.file, request.revision)
    cache = RepositoryCache(Path(request.cache), asked.repo)
    if request.is_offline:
        return _take_cached(request, asked, "HF_HUB_OFFLINE is set", progress)
    hub = Hub(request.endpoint, token)
    try:
        repository = _ask(hub, asked, progress)
    except CutOffError as error:
        return _take_cached(request, asked, str(error), progress)
    if repository.name.lower() != asked.repo.lower():
        progress.notes.append(f"{asked.repo} is called {repository.name} now.")
    cache = RepositoryCache(Path(request.cache), repository.name)
    choice = choose(repository.files, asked, request.available_bytes)
    _show(choice, repository, cache, progress)
    _check_room(request, choice, repository, cache)
    fetching = Fetching(hub, cache, repository, asked)
    for file in choice.files:
        fetching.fetch(file, progress)
    taken = {file.path for file in choice.files}
    others = [
        file
        for file in repository.files
        if file.path not in taken and file.path.lower().endswith(".gguf")
    ]
    cache.publish(repository.commit, choice.files, others, asked.revision)
    return None


def _ask(hub: Hub, asked: Asked, progress: Progress) -> Repository:
    """Ask what the repository holds, some times; CutOffError when nobody answers."""
    patience, failures = Patience(asked.name, _TRIES_TO_ASK), 0
    while True:
        try:
            return hub.repository(asked)
        except (CutOffError, BusyHubError) as error:
            failures += 1
            if failures == _TRIES_TO_ASK and isinstance(error, CutOffError):
                raise
            patience.wait_after(error, progress)


def _show(
    choice: Choice, repository: Repository, cache: RepositoryCache, progress: Progress
) -> None:
    progress.repo, progress.quant = repository.name, choice.quant
    progress.files = [[file.path, file.size_bytes] for file in choice.files]
    progress.others = [[other.quant, other.size_bytes] for other in choice.others[:MAX_LISTED]]
    progress.notes += choice.notes
    progress.bytes_total = sum(file.size_bytes for file in choice.files)
    progress.path = cache.snapshot(repository.commit, choice.files[0].path)


def _check_room(
    request: Request, choice: Choice, repository: Repository, cache: RepositoryCache
) -> None:
    missing = sum(cache.missing_bytes(repository.commit, file) for file in choice.files)
    if missing:
        free = shutil.disk_usage(_nearest_folder(Path(request.cache))).free
        if missing + SPARE_BYTES > free:
            raise DownloadFailedError(
                f"{asked_name(request)} needs {size_text(missing)} more on the disk of "
                f"{request.cache}, and {size_text(free)} are free. Free some, pass a smaller "
                "quant, or let the operator set HF_HUB_CACHE to a folder on another disk."
            )


def _take_cached(request: Request, asked: Asked, why: str, progress: Progress) -> None:
    """Take what the cache has of the model, since the hub is not asked or does not answer."""
    cache = RepositoryCache(Path(request.cache), asked.repo)
    commit = cache.current(asked.revision)
    files = cache.files_of(commit) if commit else []
    if commit and any(file.path.lower().endswith(".gguf") for file in files):
        try:
            choice = choose(files, asked, request.available_bytes)
        except DownloadFailedError as error:
            # The hub may have what the cache has not.
            raise DownloadFailedError(f"{why}, so only the cache counts. There, {error}") from error
        _show(choice, Repository(asked.repo, commit, ()), cache, progress)
        progress.bytes_done, progress.is_from_cache = progress.bytes_total, True
        progress.notes.append(f"{why}: it was taken from the cache as it is there.")
        return
    there = ", ".join(repositories_in(Path(request.cache))[:MAX_LISTED])
    raise DownloadFailedError(
        f"{asked.name} was not fetched: {why}, and the cache {request.cache} does not have it"
        + (f"; it has {there}" if there else "")
        + ". "
        + (
            "Only the operator can allow the network, by taking HF_HUB_OFFLINE out of the "
            "environment of llama-mcp."
            if request.is_offline
            else "Check the network, and call again: what came before is kept."
        )
    )


def asked_name(request: Request) -> str:
    """Return what was asked for, as it is told."""
    return Asked(request.repo, request.quant, request.file, request.revision).name


def refused(error: OSError, request: Request) -> str:
    """Say what the disk refused, and what to do."""
    name, cache = asked_name(request), request.cache
    kept = "What has come is kept: call again then, and it goes on from there."
    elsewhere = "or let the operator set HF_HUB_CACHE to another folder"
    if error.errno in DISK_FULL:
        return (
            f"The disk of {cache} is full, and {name} is not whole. Free some room, {elsewhere}. "
            f"{kept}"
        )
    if error.errno == errno.EFBIG:
        return (
            f"The disk of {cache}, or a limit of this user, allows no file as large as those of "
            f"{name} (FAT32 ends at 4 GiB). Take a smaller or a split quant, {elsewhere}."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        where = error.filename or cache
        return f"llama-mcp may not write to {where}. Give its user the right to, {elsewhere}."
    if error.errno == errno.ENOENT:
        return (
            f"Somebody has removed what {name} was written to, below {cache}. Call again: it "
            "begins anew where nothing is left."
        )
    problem = f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}"
    return f"{name} could not be kept in {cache}: {problem}. Set that right, {elsewhere}. {kept}"


def _nearest_folder(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if os.path.isdir(folder))
