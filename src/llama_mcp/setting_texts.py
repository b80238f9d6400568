r"""How people write paths and command lines in a setting, on Windows and elsewhere.

Nothing here looks at the machine: which rule counts is an argument, `windows`. Windows' rules are
those of its own command line: quotes group, and a backslash is only a backslash. A shell's rules
would make `C:Modelsx.gguf` of `C:\Models\x.gguf`.
"""

import json
import re
import shlex
import sys
from typing import Any

ON_WINDOWS = sys.platform == "win32"

_UNCLOSED = "a quote is opened and never closed"
_ESCAPED = (
    r'; a backslash before a quote makes the quote a part of the value, so write "C:\some folder" '
    "without a backslash at the end"
)
# Backslashes with the quote that follows them, other backslashes, space, anything else.
_PIECE = re.compile(r'\\*"|\\+|\s+|[^\s"\\]+')
_FOLDER = re.compile(r'(?:"[^"]*"|[^";])+')
_VARIABLE = re.compile(r"%[A-Za-z_][\w()]*%")


def split_command_line(text: str, *, windows: bool) -> tuple[str, ...]:
    """Return the flags and values of a command line; a JSON list is taken as it is.

    Raises:
        ValueError: a quote is not closed, or what begins like a JSON list is none.
    """
    if text.lstrip().startswith("["):
        return tuple(_json_list(text))
    if windows:
        return _split_as_windows(text)
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(_UNCLOSED if "quotation" in str(error) else str(error)) from error


def split_folders(text: str, *, windows: bool) -> tuple[str, ...]:
    """Return the folders of a list written as in PATH: separated by `;` on Windows, else by `:`."""
    parts = _FOLDER.findall(text) if windows else text.split(":")
    return tuple(part for part in parts if part.strip())


def plain_path(text: str, *, windows: bool) -> str:
    r"""Return a path without what people write around it on Windows: quotes and spaces.

    `set NAME="C:\some folder"` makes the quotes a part of the value there.

    Raises:
        ValueError: it names a variable, such as %USERPROFILE%. Clients fill in none, and an
            argument that did would read the environment aloud.
    """
    if not windows:
        return text
    if named := _VARIABLE.search(text):
        raise ValueError(
            f"{named[0]} is not filled in here; write the folder itself, or ~ for your own folder"
        )
    return text.replace('"', "").strip()


def _json_list(text: str) -> list[Any]:
    try:
        return list(json.loads(text))
    except ValueError as error:
        problem = f"it begins like a JSON list and is none ({error})"
        hint = r"; JSON needs each backslash twice: C:\\Models" if "\\" in text else ""
        raise ValueError(problem + hint) from error


def _split_as_windows(text: str) -> tuple[str, ...]:
    """Split as Windows does for every program (CommandLineToArgvW; the rules of Microsoft's C)."""
    arguments: list[str] = []
    current: str | None = None
    is_quoted = has_just_closed = False
    for piece in _PIECE.findall(text):
        if piece.isspace() and not is_quoted:
            arguments += [] if current is None else [current]
            current = None
        elif piece.endswith('"'):
            # Before a quote, and only there, two backslashes are one, and one escapes the quote.
            backslashes = len(piece) - 1
            is_escaped = backslashes % 2 == 1
            is_doubled = has_just_closed and not backslashes
            current = (current or "") + "\\" * (backslashes // 2)
            current += '"' if is_escaped or is_doubled else ""
            is_quoted ^= not is_escaped
            has_just_closed = not is_quoted and not is_escaped
            continue
        else:
            current = (current or "") + piece
        has_just_closed = False
    if is_quoted:
        raise ValueError(_UNCLOSED + (_ESCAPED if '\\"' in text else ""))
    return (*arguments, *([] if current is None else [current]))
