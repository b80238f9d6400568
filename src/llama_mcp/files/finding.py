"""From what a caller names to files that can be read: paths, patterns, folders, lines of a file."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from llama_mcp.files.border import FileBorder
from llama_mcp.files.contents.formats import format_of
from llama_mcp.files.contents.pictures import check_decodable
from llama_mcp.files.documents.running import check_installed
from llama_mcp.files.errors import (
    BadNameError,
    BinaryFileError,
    FileMissingError,
    FileRefusedError,
    NotAFileError,
    NothingFoundError,
    TooManyFilesError,
    unreadable,
)
from llama_mcp.files.named import FileKind, Found, LeftOut, NamedFile
from llama_mcp.files.naming.asked import Asked, take_apart
from llama_mcp.files.naming.listing import (
    Listed,
    Listing,
    alternatives,
    is_pattern,
    natural,
    split_pattern,
)
from llama_mcp.files.naming.opening import entries_of, open_file
from llama_mcp.files.reading import ends_of

MAX_FILES = 1000
# How many names are compared with one that is missing: it takes a second for some 20,000.
MAX_COMPARED = 5000


def find(asked: Sequence[str], border: FileBorder, *, strict: bool = True) -> Found:
    """Return the files that a caller means, each once, and those that are left out.

    A path, absolute or relative; a pattern with `*`, `?`, `[...]`, `{a,b}` and `**`; a folder, for
    all in it but what is hidden. Lines may stand behind a path or a pattern: `path:10-80`,
    `path:10`, `path:10-`. A file that is really called so goes before every other reading.

    Args:
        asked: what the caller wrote.
        border: where callers may read.
        strict: whether a text that gives nothing is an error; otherwise it is left out.

    Returns:
        Files that exist, may be read and hold text or a picture. What a pattern or a folder holds
        besides is in `left_out`.

    Raises:
        FileRefusedError: with `strict`, one that is named by its own path cannot be taken.
        NoFoldersError: no folder is open to callers.
        TooManyFilesError: there are more than MAX_FILES, or too many to look at.
    """
    search = _Search(border, Listing(border.reading_folders()))
    for text in asked:
        try:
            search.add(text)
        except FileRefusedError as error:
            if strict:
                raise
            search.leave_out(error.name, error.why)
    if len(search.seen) > MAX_FILES:
        raise TooManyFilesError(len(search.seen), MAX_FILES, is_whole=True)
    return Found(tuple(search.files), tuple(search.left_out.values()))


@dataclass
class _Search:
    border: FileBorder
    listing: Listing
    files: list[NamedFile] = field(default_factory=list)
    seen: set[tuple[Path, int | None, int | None]] = field(default_factory=set)
    left_out: dict[str, LeftOut] = field(default_factory=dict)

    def add(self, text: str) -> None:
        bases = self.border.bases(self.border.read_dirs)
        asked = take_apart(text, bases)
        if asked.path is not None:
            self._add_existing(asked)
        elif is_pattern(asked.text):
            self._add_alternatives(asked)
        else:
            raise self._missing(asked)

    def leave_out(self, name: str, why: str) -> None:
        self.left_out.setdefault(name, LeftOut(name, why))

    def _add_existing(self, asked: Asked) -> None:
        assert asked.path is not None
        real = self._real(asked.path, asked.text)
        if not real.is_dir():
            self._take(real, asked)
            return
        if asked.first_line is not None:
            raise NotAFileError(asked.text, "a folder, which has no lines")
        self._add_all(asked, self._listed(real), "no file is in it")

    def _add_alternatives(self, asked: Asked) -> None:
        """Add what each pattern means that stands in braces; what is refused is left out.

        Raises:
            FileRefusedError: none of them gives anything.
        """
        refusals: list[FileRefusedError] = []
        texts = list(filter(None, alternatives(asked.text)))
        for text in texts:
            try:
                self._add_alternative(text, asked)
            except FileRefusedError as error:
                refusals.append(error)
        # Of many endings, as in *.{md,rst,txt}, most match nothing.
        told = [each for each in refusals if not isinstance(each, NothingFoundError)]
        if len(refusals) == len(texts):
            raise told[0] if told else NothingFoundError(asked.text, "no file matches it")
        for refusal in told:
            self.leave_out(refusal.name, refusal.why)

    def _add_alternative(self, text: str, asked: Asked) -> None:
        if is_pattern(text):
            one = replace(asked, text=text)
            self._add_all(one, self._matches(one), "no file matches it")
            return
        one = take_apart(text, self.border.bases(self.border.read_dirs))
        if one.path is None:
            raise self._missing(one)
        if asked.first_line is not None:
            one = replace(one, first_line=asked.first_line, last_line=asked.last_line)
        self._add_existing(replace(one, is_matched=True))

    def _listed(self, folder: Path) -> Iterator[Listed]:
        self.border.check_readable(folder, folder)
        return self.listing.all_in(folder)

    def _matches(self, asked: Asked) -> Iterator[Listed]:
        folder, parts = split_pattern(asked.text)
        for real in self._folders_of(folder, asked.text):
            yield from self.listing.matching(real, parts)

    def _folders_of(self, folder: str, name: str) -> list[Path]:
        """Return what the folder of a pattern means: below each open folder, if it is relative.

        Raises:
            FileRefusedError: it is there, and callers may read it nowhere.
        """
        folders: dict[Path, None] = {}
        refusals: list[FileRefusedError] = []
        for base in self.border.bases(self.border.read_dirs):
            try:
                real = Path(os.path.realpath(base / Path(folder).expanduser(), strict=True))
                self.border.check_readable(real, name)
            except FileRefusedError as error:
                refusals.append(error)
            except (OSError, ValueError, RuntimeError):
                continue
            else:
                folders[real] = None
        if refusals and not folders:
            raise refusals[0]
        return list(folders)

    def _add_all(self, asked: Asked, listed: Iterator[Listed], nothing: str) -> None:
        is_empty = True
        asked = replace(asked, is_matched=True)
        try:
            for each in listed:
                self._add_listed(each, asked)
                is_empty = False
        except OSError as error:
            raise unreadable(asked.text, error) from error
        if is_empty:
            raise NothingFoundError(asked.text, nothing)

    def _add_listed(self, listed: Listed, asked: Asked) -> None:
        name = self.border.shown_name(listed.path)
        if listed.why_not:
            self.leave_out(name, listed.why_not)
            return
        try:
            real = self._real(listed.path, name)
            if real.is_dir():
                self.leave_out(name, "it is a link to a folder; name that itself")
            elif not listed.is_way:
                self._take(real, asked)
        except FileRefusedError as error:
            self.leave_out(name, error.why)

    def _real(self, path: Path, name: object) -> Path:
        """Return where a path leads, if callers may read that; both names count for secrets."""
        try:
            real = Path(os.path.realpath(path, strict=True))
        except OSError as error:
            # Of what lies outside, callers are not even told whether it is there.
            self.border.check_readable(_as_far_as_it_leads(path), name)
            raise unreadable(name, error) from error
        except ValueError as error:
            raise BadNameError(name, str(error)) from error
        self.border.check_readable(real, name)
        self.border.check_name(path, name)
        return real

    def _take(self, real: Path, asked: Asked) -> None:
        key = (real, asked.first_line, asked.last_line)
        if key in self.seen:
            return
        if len(self.seen) >= MAX_FILES:  # the rest is only counted
            self.seen.add(key)
            return
        name = self.border.shown_name(real)
        descriptor = open_file(real, name, self.border)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            try:
                size_bytes = os.fstat(descriptor).st_size
                head, tail = ends_of(file, size_bytes)
            except OSError as error:
                raise unreadable(name, error) from error
        found = format_of(head, tail)
        if found.kind is None:
            raise BinaryFileError(name, found.what)
        if found.kind is FileKind.PICTURE:
            check_decodable(head, name, found.what)
            if asked.first_line is not None:
                raise BadNameError(asked.text, "a picture has no lines", "Pass its path alone.")
        if found.kind is FileKind.DOCUMENT:
            check_installed(name, found.suffix, found.what)
        self.seen.add(key)
        self.files.append(
            NamedFile(
                *(name, real, asked.first_line, asked.last_line, found.kind, size_bytes),
                is_matched=asked.is_matched,
            )
        )

    def _missing(self, asked: Asked) -> FileRefusedError:
        base = self.border.base
        try:
            path = Path(os.path.realpath(base / Path(asked.text).expanduser()))
            self.border.check_readable(path, asked.text)
            with suppress(FileNotFoundError, NotADirectoryError):
                os.lstat(path)
            names = [entry.name for entry in entries_of(path.parent, self.border.read_dirs)]
        except FileRefusedError as error:
            return error
        except PermissionError as error:
            return unreadable(asked.text, error)
        except (OSError, ValueError, RuntimeError):
            return FileMissingError(asked.text, base)
        nearest = _nearest(path.name, sorted(names[:MAX_COMPARED], key=natural))
        return FileMissingError(asked.text, self.border.shown_name(path.parent), nearest)


def _as_far_as_it_leads(path: Path) -> Path:
    try:
        return Path(os.path.realpath(path))
    except OSError:  # a link has gone while it was read, strict or not
        return Path(os.path.abspath(path))


def _nearest(name: str, names: Sequence[str]) -> list[str]:
    """Return the names that are most like one, in whatever case they are written."""
    plain = {each.casefold(): each for each in names}
    return [plain[each] for each in get_close_matches(name.casefold(), plain, n=5, cutoff=0.5)]
