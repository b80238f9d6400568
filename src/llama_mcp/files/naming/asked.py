"""What a caller writes for a file: a path or a pattern, with lines behind a colon or without."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llama_mcp.files.errors import BadNameError
from llama_mcp.files.naming.windows_names import is_on_another_machine, problem_of
from llama_mcp.setting_texts import ON_WINDOWS, is_address, plain_path

# `10-80`, `10` alone, `10-` to the end.
_LINES = re.compile(r"(?P<path>.+):(?P<first>\d{1,15})(?P<to>-(?P<last>\d{1,15})?)?\Z", re.DOTALL)
# Controls, halves of characters, ends of lines.
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
MAX_CHARACTERS = 32_767  # of a path on Windows; elsewhere 4,096


@dataclass(frozen=True, slots=True)
class Asked:
    """One text of a caller, taken apart."""

    text: str
    """What names the file, without lines and without what copying has left around it."""
    path: Path | None
    """What is there; None when nothing is, so that it is a pattern or a mistake."""
    first_line: int | None = None
    last_line: int | None = None
    is_matched: bool = False
    """Whether a pattern or a folder is meant, of which the file is one."""


def take_apart(text: str, bases: Sequence[Path], *, windows: bool = ON_WINDOWS) -> Asked:
    """Return what a text means; a file that is really called so goes before any other reading.

    Args:
        text: a path, relative or absolute, or a pattern; lines behind it as `:10-80`.
        bases: the folders that relative paths begin at; the first in which something is there
            counts.
        windows: whether the rules of Windows for names count.

    Raises:
        BadNameError: it can name no file.
    """
    _check(text, bases, windows)
    for named in _readings(text, windows):
        if path := _existing(named, bases, windows):
            return Asked(named, path)
    if not (match := _LINES.match(_plain(text, windows))):
        return Asked(_plain(text, windows), None)
    first, last = _line_range(text, match)
    named = match["path"]
    return Asked(named, _existing(named, bases, windows), first, last)


def clean_path(text: str, base: Path, *, windows: bool = ON_WINDOWS) -> Path:
    """Return the path that a text means; nothing needs to be there.

    Raises:
        BadNameError: it can be no path of a file.
    """
    _check(text, (base,), windows)
    plain = _plain(text, windows)
    # JSON has no place for half a character, and whoever lists the folder none for a control.
    if any(unicodedata.category(character) in _UNSEEN for character in plain):
        raise BadNameError(text, "it has a control character in it", "Pass another name.")
    if "*" in plain or "?" in plain:
        raise BadNameError(text, "it is a pattern", "Pass the path of one file.")
    if re.split(r"[\\/]" if windows else "/", plain)[-1] in ("", ".", ".."):
        raise BadNameError(text, "it names a folder", "Pass the path of a file.")
    try:
        return base / Path(plain).expanduser()
    except RuntimeError as error:
        raise BadNameError(text, str(error), "Pass the path itself.") from error


def _check(text: str, bases: Sequence[Path], windows: bool) -> None:
    if not text.strip():
        raise BadNameError(repr(text), "it is empty", "Pass a path.")
    if "\0" in text:
        raise BadNameError(text, "it has a NUL", "Pass a path.")
    if len(text) > MAX_CHARACTERS:
        raise BadNameError(text, f"it is longer than any path ({len(text):,} characters)")
    if is_address(text):
        raise BadNameError(
            text, "it is an address and not a path", "Pass a file that is on this machine."
        )
    if windows:
        _check_windows(text, bases)


def _check_windows(text: str, bases: Sequence[Path]) -> None:
    plain = _plain(text, True)
    match = _LINES.match(plain)
    if problem := problem_of(match["path"] if match else plain):
        raise BadNameError(text, problem, "Pass an ordinary path.")
    # Only to look for it would tell the other machine who the user is.
    near = any(plain.casefold().startswith(str(base).casefold()) for base in bases)
    if is_on_another_machine(plain) and not near:
        raise BadNameError(text, "it lies on another machine", "Pass a file of this one.")


def _readings(text: str, windows: bool) -> Iterable[str]:
    return dict.fromkeys((text, _plain(text, windows)))


def _plain(text: str, windows: bool) -> str:
    try:
        return plain_path(text, windows=windows)
    except ValueError as error:
        raise BadNameError(text, str(error), "Pass the path itself.") from error


def _line_range(text: str, match: re.Match[str]) -> tuple[int, int | None]:
    first = int(match["first"])
    last = int(match["last"]) if match["last"] else None if match["to"] else first
    if first < 1 or (last is not None and last < first):
        raise BadNameError(
            text, "these are no lines", "Lines count from 1: path:10-80, path:10, path:10-."
        )
    return first, last


def _existing(text: str, bases: Sequence[Path], windows: bool) -> Path | None:
    if windows and problem_of(text):
        return None
    for base in bases:
        for path in _meant(text, base):
            with suppress(OSError, ValueError):
                if os.path.lexists(path):
                    return path
    return None


def _meant(text: str, base: Path) -> Iterator[Path]:
    """Yield what a text means below a folder: a name may begin with a `~`, too."""
    with suppress(RuntimeError, ValueError):
        yield base / text
        if text.startswith("~"):
            yield Path(text).expanduser()
