"""The Hugging Face cache on this machine: where a file of the hub lies in it.

    models--USER--REPO/blobs/OID                        a file, by its sha256 (or git's sha1)
    models--USER--REPO/blobs/OID.downloadInProgress     what has come of it: as llama-server has it
    models--USER--REPO/snapshots/COMMIT/PATH            a link to the blob
    models--USER--REPO/refs/main                        the commit that counts
    .locks/models--USER--REPO/OID.lock                  who fetches it: as huggingface_hub has it

A model appears by its links, so these are made when every blob of it is whole and checked.
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from llama_mcp.keeper import sharing
from llama_mcp.long_paths import openable
from llama_mcp.models.download.transfer.choice import HubFile

HALF = ".downloadInProgress"
_COMMIT = re.compile(r"[0-9a-f]{40}")
MakeLink = Callable[[str, str], None]


class RepositoryCache:
    """The folder of one repository in the cache."""

    def __init__(self, cache: Path, repo: str) -> None:
        """Take the cache's folder and the repository's checked name."""
        self._name = f"models--{repo.replace('/', '--')}"
        self._cache = cache
        self.folder = cache / self._name

    def blob(self, file: HubFile) -> str:
        """Return where the whole file lies."""
        return openable(str(self.folder / "blobs" / file.oid))

    def half(self, file: HubFile) -> str:
        """Return where lies what has come of the file."""
        return openable(str(self.folder / "blobs" / (file.oid + HALF)))

    def lock(self, file: HubFile) -> str:
        """Return what is locked by who fetches the file."""
        return openable(str(self._cache / ".locks" / self._name / f"{file.oid}.lock"))

    def snapshot(self, commit: str, path: str) -> str:
        """Return by which name programs find the file."""
        return openable(str(self.folder.joinpath("snapshots", commit, *path.split("/"))))

    def has(self, commit: str, file: HubFile) -> bool:
        """Tell whether the whole file is here; where there are no links, it is in the snapshot."""
        places = (self.blob(file), self.snapshot(commit, file.path))
        return any(size_of(place) == file.size_bytes for place in places)

    def missing_bytes(self, commit: str, file: HubFile) -> int:
        """Return what has to come of a file yet."""
        if self.has(commit, file):
            return 0
        return max(0, file.size_bytes - (size_of(self.half(file)) or 0))

    def make_room(self, file: HubFile) -> None:
        """Make the folders in which the file and its lock are to lie."""
        for path in (self.half(file), self.lock(file)):
            os.makedirs(os.path.dirname(path), exist_ok=True)

    def publish(
        self,
        commit: str,
        files: Sequence[HubFile],
        others: Iterable[HubFile],
        revision: str,
        make_link: MakeLink = os.symlink,
    ) -> None:
        """Let the files appear as a model; the first of them, which makes it one, comes last.

        Args:
            commit: of which the files are.
            files: all of them whole.
            others: more files of that commit; those of which a blob is here stay visible.
            revision: what names the commit from now on.
            make_link: makes a link.
        """
        for file in others:
            if size_of(self.blob(file)) == file.size_bytes:
                self._link(commit, file, make_link)
        for file in reversed(files):
            self._link(commit, file, make_link)
        if not _COMMIT.fullmatch(revision):
            self._refer(revision, commit)

    def current(self, revision: str) -> str | None:
        """Return the commit that a revision names here."""
        if _COMMIT.fullmatch(revision):
            return revision
        try:
            text = sharing.read_bytes(self._ref(revision)).decode("ascii", "replace").strip()
        except OSError:
            return None
        return text if _COMMIT.fullmatch(text) else None

    def files_of(self, commit: str) -> list[HubFile]:
        """Return the files of a commit that are here, by the names that programs find them by."""
        top = self.folder / "snapshots" / commit
        found = (Path(folder, name) for folder, _, names in os.walk(top) for name in names)
        sized = ((path, size_of(str(path))) for path in sorted(found))
        return [
            HubFile(path.relative_to(top).as_posix(), size, oid="")
            for path, size in sized
            if size is not None
        ]

    def _link(self, commit: str, file: HubFile, make_link: MakeLink) -> None:
        blob, name = self.blob(file), self.snapshot(commit, file.path)
        if size_of(name) == file.size_bytes:
            return
        os.makedirs(os.path.dirname(name), exist_ok=True)
        if os.path.lexists(name):  # a link to a blob that somebody has removed
            os.unlink(name)
        with suppress(OSError):
            make_link(os.path.relpath(blob, os.path.dirname(name)), name)
        if size_of(name) == file.size_bytes:
            return
        # Windows lets not every user make links, some disks have none, and Wine says that it has
        # made one: then the file itself goes there, as huggingface_hub does it.
        if os.path.lexists(name):
            os.unlink(name)
        sharing.replace(blob, name)

    def _refer(self, revision: str, commit: str) -> None:
        path = self._ref(revision)
        if self.current(revision) == commit:
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = f"{path}.{os.getpid()}.tmp"
        with open(temporary, "w", encoding="ascii") as file:
            file.write(commit)
        sharing.replace(temporary, path)

    def _ref(self, revision: str) -> str:
        return openable(str(self.folder.joinpath("refs", *revision.split("/"))))


def repositories_in(cache: Path) -> list[str]:
    """Return the repositories that have a model in the cache, `user/repo` each."""
    try:
        names = sorted(entry.name for entry in os.scandir(cache) if entry.is_dir())
    except OSError:
        return []
    with_model = (
        name.removeprefix("models--").replace("--", "/")
        for name in names
        if name.startswith("models--") and any((cache / name).glob("snapshots/*/**/*.gguf"))
    )
    return [name for name in with_model if name.count("/") == 1]


def size_of(path: str) -> int | None:
    """Return the size of a file, links followed; None where there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return None
