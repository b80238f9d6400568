"""The saved prompt caches on disk: found for a session, claimed, forgotten, swept.

Every function looks at files. Any number of processes may use the folders.
"""

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llama_mcp.keeper import kv_files, lease_locks, run_dir
from llama_mcp.keeper.kv_files import Proof, SavedFile

# Of a model that was not started for so long nobody misses what it had read.
UNUSED_SECONDS = 14 * 24 * 3600.0
# An empty folder may be that of a start which has not got so far yet.
_YOUNG_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be a session's, with what is recorded of it."""

    path: Path
    proof: Proof
    run: str | None
    """The launch that it is of, as long as it is not known to be the session's."""


def candidates(folder: Path, session_id: str, runs: Collection[str]) -> list[Candidate]:
    """Return the proved files that may be a session's.

    Args:
        folder: that of the key.
        session_id: the session.
        runs: the launches that have served it; only what is of them can be its own.
    """
    if (folder / kv_files.INEFFECTIVE).exists():
        return []
    own = session_name(session_id)
    found = []
    for file in kv_files.files_in(str(folder)):
        run = kv_files.run_of(file.name)
        if file.name == own or run in runs:
            proof = kv_files.proof_of(file.path)
            if proof is not None:
                found.append(Candidate(Path(file.path), proof, run))
    return found


def session_name(session_id: str) -> str:
    """Return the name of a session's file."""
    return f"{session_id}{kv_files.DATA}"


def why_not_whole(candidate: Candidate, may_go_on: Callable[[], bool]) -> str | None:
    """Return what is wrong with a file; None when it is to the byte what was saved.

    Raises:
        OSError: it cannot be read.
        TimeoutError: it may not go on to the end.
    """
    size = candidate.path.lstat().st_size
    if size != candidate.proof.bytes:
        return f"it has {size} bytes, and had {candidate.proof.bytes}"
    digest = kv_files.digest_of(str(candidate.path), may_go_on)
    if digest is None:
        raise TimeoutError
    return None if digest == candidate.proof.sha256 else "it was changed since it was saved"


def claim(candidate: Candidate, session_id: str) -> Path:
    """Give the file to the session, whose older one goes; return its path.

    Raises:
        OSError: somebody else has it by now.
    """
    path = candidate.path.with_name(session_name(session_id))
    if candidate.run is not None:
        kv_files.remove(str(path))
        os.rename(candidate.path, path)
        # In between it is not proved, and whoever is killed here leaves nothing to be used.
        os.rename(f"{candidate.path}{kv_files.RECORD}", f"{path}{kv_files.RECORD}")
    return path


def mark_ineffective(folder: Path) -> None:
    """Have nothing saved or looked for any more of a model that cannot go on from a file."""
    with suppress(OSError):
        (folder / kv_files.INEFFECTIVE).touch(0o600)
    for file in kv_files.files_in(str(folder)):
        kv_files.remove(file.path)


def forget_session(root: Path, session_id: str, runs: Collection[str]) -> None:
    """Remove a session's files, and those of its runs of which it is not known whose they are."""
    for file in _all_files(root):
        if file.name == session_name(session_id) or kv_files.run_of(file.name) in runs:
            kv_files.remove(file.path)


def named_sessions(root: Path) -> set[str]:
    """Return the ids of the sessions that have files."""
    files = [file for file in _all_files(root) if kv_files.run_of(file.name) is None]
    return {file.name.removesuffix(kv_files.DATA) for file in files}


def sweep(root: Path, runs_dir: Path, limit_bytes: int, is_gone: Callable[[str], bool]) -> None:
    """Remove what nobody will use.

    Args:
        root: the folder of all keys.
        runs_dir: where runs are, whose keepers may still be writing.
        limit_bytes: how much may stay, the newest; 0 for nothing.
        is_gone: whether a session was deleted.
    """
    for file in _all_files(root):
        run = kv_files.run_of(file.name)
        if run is not None and _is_kept(runs_dir, run):
            continue
        is_orphan = run is None and is_gone(file.name.removesuffix(kv_files.DATA))
        is_old = run is not None and time.time() - file.changed_at > UNUSED_SECONDS
        if is_orphan or is_old or not limit_bytes or not file.is_proved:
            kv_files.remove(file.path)
    for folder in map(Path, kv_files.folders_in(str(root))):
        _sweep_folder(folder, is_off=not limit_bytes)
    if limit_bytes and root.exists():
        kv_files.make_room(str(root), limit_bytes, 0)


def _sweep_folder(folder: Path, *, is_off: bool) -> None:
    with suppress(OSError):
        age_seconds = time.time() - folder.stat().st_mtime
        # A record without its file: whoever removed or renamed that was killed.
        for record in folder.glob(f"*{kv_files.DATA}{kv_files.RECORD}"):
            if not os.path.exists(str(record).removesuffix(kv_files.RECORD)):
                record.unlink()
        files = kv_files.files_in(str(folder))
        newest = max([file.changed_at for file in files], default=0.0)
        is_unused = age_seconds > UNUSED_SECONDS and time.time() - newest > UNUSED_SECONDS
        if is_unused or (is_off and not files and age_seconds > _YOUNG_SECONDS):
            shutil.rmtree(folder)


def _all_files(root: Path) -> Iterator[SavedFile]:
    for folder in kv_files.folders_in(str(root)):
        yield from kv_files.files_in(folder)


def _is_kept(runs_dir: Path, run: str) -> bool:
    return lease_locks.is_locked(str(runs_dir / run / run_dir.KEEPER_LOCK))
