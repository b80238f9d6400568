"""llama-server's log, read from its end: clean text, whatever was written into the file.

llama.cpp (common/log.cpp) writes `M.SS.mmm.uuu L tag func: message`, L being one of E, W, I
and D; builds from before 2026, the loader and the C++ runtime write lines without that prefix.
"""

import os
import re
from pathlib import Path

LONGEST_LINE = 2000
_CLIPPED = "…"
_LAST_LINE_BYTES = 4096

_LINE_END = re.compile(r"\r\n|\n|\r")
_PREFIX = re.compile(r"^\d+\.\d\d\.\d{3}\.\d{3} ([EWID]) ")
_TERMINAL_CODE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c\x9d]*(?:\x07|\x1b\\|\x9c)"  # OSC: titles, links
    r"|\x1b[ -/]*[0-~]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def read_log_tail(path: Path, lines: int, *, max_bytes: int = 262_144) -> list[str]:
    """Give the last lines of a log, oldest first, without reading the rest of the file.

    Args:
        path: The log; when it does not exist there are no lines.
        lines: At most this many.
        max_bytes: Read at most this much from the end; a line that begins earlier is left out,
            unless it is the only one.

    Returns:
        Cleaned lines (`clean_line`) of at most `LONGEST_LINE` characters.
    """
    if lines <= 0:
        return []
    text, is_whole = _read_end(path, max_bytes)
    raw = _LINE_END.split(text)
    if raw[-1] == "":
        raw.pop()
    if not is_whole and len(raw) > 1:
        raw.pop(0)
    return [_clip(clean_line(line)) for line in raw[-lines:]]


def last_line(path: Path) -> str:
    """Give the last line of a log that says something, or an empty string."""
    tail = read_log_tail(path, _LAST_LINE_BYTES, max_bytes=_LAST_LINE_BYTES)
    return next((line for line in reversed(tail) if line.strip()), "")


def clean_line(text: str) -> str:
    """Take out of one line what is not text: terminal codes, control characters, surrogates."""
    text = _CONTROL.sub("", _TERMINAL_CODE.sub("", text))
    return text.encode("utf-8", "replace").decode("utf-8").rstrip()


def level_of(line: str) -> str | None:
    """Give the level in a line's prefix: E, W, I or D, or None for a line without prefix."""
    match = _PREFIX.match(line)
    return match.group(1) if match else None


def without_prefix(line: str) -> str:
    """Give a line without llama.cpp's time and level; two lines are the same if this is."""
    return _PREFIX.sub("", line).strip()


def _read_end(path: Path, max_bytes: int) -> tuple[str, bool]:
    """The end of the file, and whether that is all of it."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - max_bytes)
            file.seek(start)
            return file.read(max_bytes).decode("utf-8", "replace"), start == 0
    except FileNotFoundError:
        return "", True


def _clip(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + _CLIPPED
