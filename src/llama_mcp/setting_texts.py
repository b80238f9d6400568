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
from urllib.parse import unquote

from llama_mcp.copied_text import plain_text

ON_WINDOWS = sys.platform == "win32"

_UNCLOSED = "a quote is opened and never closed"
_ESCAPED = (
    r'; a backslash before a quote makes the quote a part of the value, so write "C:\some folder" '
    "without a backslash at the end"
)
# Backslashes with the quote that follows them, other backslashes, space, anything else.
_PIECE = re.compile(r'\\*"|\\+|\s+|[^\s"\\]+')
_FOLDER = re.compile(r'(?:"[^"]*"|[^";])+')
# The colon of a URL separates nothing.
_POSIX_FOLDER = re.compile(r"(?:\s*file:)?[^:]+", re.IGNORECASE)
# A name that a shell or a client would have replaced: ${NAME}, ${env:NAME}, $NAME at the beginning.
_PLACEHOLDER = re.compile(r"\$\{[^{}]*\}")
_VARIABLE = re.compile(rf"{_PLACEHOLDER.pattern}|^\$(?:env:)?[A-Za-z_]\w*(?=[\\/]|$)")
# The one variable that says no more than `~` does.
_HOME = re.compile(r"^\$(?:HOME|\{HOME\})(?=[\\/]|$)")
# A shell's backslash before a blank, a bracket or the like.
_SHELL_ESCAPE = re.compile(r"\\([^\w/\\])")
_WINDOWS_VARIABLE = re.compile(rf"{_VARIABLE.pattern}|%[A-Za-z_][\w()]*%")
# What programs write for a value that they do not have.
_NOTHING = frozenset({"", "null", "undefined"})

# Two letters at least: a drive letter is none.
_ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+://", re.IGNORECASE)


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
    """Return the folders of a list written as in PATH: separated by `;` on Windows, else by `:`.

    A JSON list is taken as it is.

    Raises:
        ValueError: what begins like a JSON list is none.
    """
    if text.lstrip().startswith("["):
        return tuple(map(str, _json_list(text)))
    # Elsewhere nothing can be quoted, so quotes around all of it are left from copying.
    parts = (_FOLDER if windows else _POSIX_FOLDER).findall(text if windows else plain_text(text))
    return tuple(part for part in parts if not is_unset(part))


def is_unset(text: str) -> bool:
    """Tell whether a value stands for none: it is empty, or a placeholder that was not filled."""
    plain = plain_text(text)
    return plain.lower() in _NOTHING or _PLACEHOLDER.fullmatch(plain) is not None


def is_address(text: str) -> bool:
    """Tell whether a text is an address on a network; `file://` names a file."""
    return _ADDRESS.match(plain_text(text)) is not None


def plain_path(text: str, *, windows: bool) -> str:
    r"""Return a path without what people and programs write around it.

    Quotes, blanks and line ends that were copied with it, `file://`, and a shell's backslash before
    a blank. `set NAME="C:\some folder"` makes the quotes a part of the value on Windows.

    Raises:
        ValueError: it names a variable, such as %USERPROFILE%, or a file of another machine.
            Clients fill in no variables, and an argument that did would read the environment aloud.
    """
    path = plain_text(text)
    if path[:5].lower() == "file:":
        path = _path_of_url(path[5:], windows)
    path = _HOME.sub("~", path)
    if named := (_WINDOWS_VARIABLE if windows else _VARIABLE).search(path):
        raise ValueError(
            f"{named[0]} is not filled in here; write the folder itself, or ~ for your own folder"
        )
    return path.replace('"', "").strip() if windows else _SHELL_ESCAPE.sub(r"\1", path)


def _path_of_url(rest: str, windows: bool) -> str:
    host, path = "", unquote(rest, errors="surrogateescape")
    if path.startswith("//"):
        host, slash, path = path[2:].partition("/")
        path = slash + path
    if host.lower() in ("", "localhost", "~"):
        path = f"~{path}" if host == "~" else path
        return re.sub(r"^/+(?=[A-Za-z]:)", "", path) if windows else path
    if windows:
        return f"//{host}{path}"
    raise ValueError(f"it names a file of the machine {host!r}; write the path itself")


def _json_list(text: str) -> list[Any]:
    try:
        return list(json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
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
