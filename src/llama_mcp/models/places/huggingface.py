"""The cache of Hugging Face, which llama.cpp shares since March 2026 (common/hf-cache.cpp).

`models--USER--REPO/` has `blobs/`, `refs/BRANCH` (a commit) and `snapshots/COMMIT/PATH`, which
links to a blob, or is the file itself where links are not allowed.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from llama_mcp.models.places.folders import (
    entries,
    gguf_files,
    is_folder,
    plain_name,
    read_note,
    subfolders,
)
from llama_mcp.models.places.found import Found
from llama_mcp.models.places.surroundings import Surroundings, below

PREFIX = "models--"
_BETWEEN = "--"
_REF = "main"
_SNAPSHOTS = "snapshots"


def find(surroundings: Surroundings) -> Iterator[Found]:
    """Give what the caches hold that the surroundings name."""
    for cache in cache_folders(surroundings):
        for repository in subfolders(cache):
            if repository.name.startswith(PREFIX):
                yield from files_of(repository)


def cache_folders(surroundings: Surroundings) -> list[Path]:
    """Return the cache of Hugging Face, and before it that of llama.cpp where it has its own."""
    own = surroundings.variable("LLAMA_CACHE")
    named = surroundings.variable("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
    if named is None and (home := surroundings.variable("HF_HOME")) is not None:
        named = home / "hub"
    shared = [named] if named else below(surroundings.cache(), "huggingface", "hub")
    return list(dict.fromkeys([*filter(None, [own]), *shared]))


def files_of(repository: Path) -> Iterator[Found]:
    """Give the files of a repository: of its current snapshot, and what only older ones have.

    An update of one file, if only of the README, leaves the others in the snapshot before.
    """
    name = repository.name.removeprefix(PREFIX).replace(_BETWEEN, "/")
    seen: set[str] = set()
    for snapshot in _snapshots(repository):
        files = [(path, plain_name(path.relative_to(snapshot))) for path in gguf_files(snapshot)]
        for path, place in files:
            if place not in seen:
                yield Found(path, f"{name}/{place}", "huggingface", snapshot)
        seen |= {place for _, place in files}


def is_snapshot(folder: Path) -> bool:
    """Tell by its place whether a folder is a snapshot of a repository."""
    return folder.parent.name == _SNAPSHOTS and folder.parent.parent.name.startswith(PREFIX)


def _snapshots(repository: Path) -> list[Path]:
    """Return the snapshot of the main branch, then the others, the newest first."""
    current = read_note(repository / "refs" / _REF).strip()
    inside = [entry for entry in entries(repository / _SNAPSHOTS) if is_folder(entry)]
    newest_first = sorted(inside, key=_changed_at, reverse=True)
    in_order = sorted(newest_first, key=lambda entry: entry.name != current)
    return [Path(entry.path) for entry in in_order]


def _changed_at(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0.0
