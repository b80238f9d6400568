"""llama-server's log, read from its end: clean text, whatever was written into the file.

llama.cpp (common/log.cpp) writes `M.SS.mmm.uuu L tag func: message`, L being one of E, W, I
and D; builds from before 2026, the loader and the C++ runtime write lines without that prefix.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from llama_mcp.llama_server.status import MAX_LOG_LINES, Level, ServerLog
from llama_mcp.visible_text import visible_line

LONGEST_LINE = 2000
_CLIPPED = "…"
_LAST_LINE_BYTES = 4096
# The most that is shown of a log, and the most that is searched for lines of a level.
MAX_SHOWN_BYTES = 64 * 1024
_MAX_SEARCHED_BYTES = 512 * 1024

# From worst to least, as they are asked for and as they stand in a prefix.
_LEVELS: tuple[Level, ...] = ("error", "warning", "info", "debug")
_LETTERS = "EWID"

# llama.cpp: server-context.cpp, "forcing full prompt re-processing due to lack of cache data".
_PROMPT_NOT_REUSABLE = b"forcing full prompt re-processing"
# A turn logs far less, unless many others run beside it.
_MAX_TURN_BYTES = 262_144

_LINE_END = re.compile(r"\r\n|\n|\r")
_PREFIX = re.compile(r"^\d+\.\d\d\.\d{3}\.\d{3} ([EWID]) ")
_TERMINAL_CODE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c\x9d]*(?:\x07|\x1b\\|\x9c)"  # OSC: titles, links
    r"|\x1b[ -/]*[0-~]"
)
# How a line without a prefix says that it is one: ggml aborts, the C++ runtime, older builds.
_ERROR_WORD = re.compile(
    r"\b(error|fail(ed|ure)?|fatal|abort(ed|ing)?|terminate|exception)\b", re.I
)
_VARIABLE = re.compile(r"\(env: \w+\)")
_WARNING_WORD = re.compile(r"\bwarn(ing)?\b", re.I)


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
    raw, _ = _last_lines(path, max_bytes)
    return [_clip(clean_line(line)) for line in raw[-lines:]]


def read_log(path: Path, lines: int, level: Level | None = None) -> ServerLog:
    """Give the end of a log to be shown, at most MAX_SHOWN_BYTES of it.

    Args:
        path: The log; when it does not exist there are no lines.
        lines: At most this many, and MAX_LOG_LINES.
        level: Only lines of this level and worse. A line without a prefix is an error or a warning
            when it says so, else it belongs to the line before it; at the beginning it is info.
    """
    raw, is_whole = _last_lines(path, _MAX_SEARCHED_BYTES)
    if is_whole:
        # The keeper moves a log that grows too long to .1 (keeper/log_rotation.py).
        before, is_whole = _last_lines(path.with_name(f"{path.name}.1"), _MAX_SEARCHED_BYTES)
        raw = before + raw
    if level is None:
        found = clean_lines(raw[-min(lines, MAX_LOG_LINES) :], None)
    else:
        raw = found = clean_lines(raw, level)
    shown = _newest_that_fit(found[-min(lines, MAX_LOG_LINES) :])
    truncated = not is_whole or len(shown) < len(raw)
    note = None if shown else _why_nothing(path, level, is_whole)
    return ServerLog(lines=shown, log_path=str(path), truncated=truncated, note=note)


def clean_lines(lines: Iterable[str], level: Level | None) -> list[str]:
    """Give lines that were read as they can be shown; with a level, only those and worse."""
    cleaned = (_clip(clean_line(line)) for line in lines)
    return list(cleaned if level is None else _of_level(cleaned, level))


def _why_nothing(path: Path, level: Level | None, is_whole: bool) -> str:
    if not path.exists():
        return "There is no file: llama-server has written none, or somebody has deleted it."
    if not log_size(path):
        return "The log is empty: llama-server has written nothing yet."
    if level is None:
        return "The log could not be read."
    where = "The log" if is_whole else f"The last {_MAX_SEARCHED_BYTES // 1024} KiB of the log"
    worse = "" if level == "error" else " or worse"
    return f"{where} has no line of level {level}{worse}; without level it is given as it is."


def last_line(path: Path) -> str:
    """Give the last line of a log that says something, or an empty string."""
    tail = read_log_tail(path, _LAST_LINE_BYTES, max_bytes=_LAST_LINE_BYTES)
    return next((line for line in reversed(tail) if line.strip()), "")


def log_size(path: Path) -> int:
    """Return how many bytes the log has; a log that is not there has none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def says_prompt_not_reusable(path: Path, since_bytes: int) -> bool:
    """Tell whether a prompt had to be read again as a whole since the log had that many bytes.

    A model with a sliding window or recurrent memory can often not go on from what was read
    before. The line names no session: it is about any turn that was served in that time.
    """
    try:
        with path.open("rb") as log:
            # A log that became shorter was rotated (keeper/log_rotation.py).
            log.seek(since_bytes if since_bytes <= log_size(path) else 0)
            return _PROMPT_NOT_REUSABLE in log.read(_MAX_TURN_BYTES)
    except OSError:
        return False


def clean_line(text: str) -> str:
    """Take terminal codes and surrogates out of one line; other control characters are shown."""
    text = visible_line(_TERMINAL_CODE.sub("", text).rstrip())
    return text.encode("utf-8", "replace").decode("utf-8")


def without_variables(usage: str) -> str:
    """Take out the names of variables, which llama-server's words about a flag end with."""
    return _VARIABLE.sub("", usage)


def level_of(line: str) -> str | None:
    """Give the level in a line's prefix: E, W, I or D, or None for a line without prefix."""
    match = _PREFIX.match(line)
    return match.group(1) if match else None


def without_prefix(line: str) -> str:
    """Give a line without llama.cpp's time and level; two lines are the same if this is."""
    return _PREFIX.sub("", line).strip()


def _of_level(lines: Iterable[str], level: Level) -> Iterator[str]:
    wanted = _LEVELS.index(level)
    prefixed = _LEVELS.index("info")
    for line in lines:
        letter = level_of(line)
        if letter is not None:
            prefixed = _LETTERS.index(letter)
        if prefixed <= wanted or (letter is None and _rank_by_words(line) <= wanted):
            yield line


def _rank_by_words(line: str) -> int:
    if _ERROR_WORD.search(line):
        return _LEVELS.index("error")
    return _LEVELS.index("warning") if _WARNING_WORD.search(line) else len(_LEVELS)


def _newest_that_fit(lines: list[str]) -> list[str]:
    """Give the last lines that take at most MAX_SHOWN_BYTES, each with its line end."""
    size = 0
    for number, line in enumerate(reversed(lines)):
        size += len(line.encode()) + 1
        if size > MAX_SHOWN_BYTES:
            return lines[len(lines) - number :]
    return lines


def _last_lines(path: Path, max_bytes: int) -> tuple[list[str], bool]:
    """Give the lines of the end of the file as they are, and whether they are all lines."""
    text, is_whole = _read_end(path, max_bytes)
    raw = _LINE_END.split(text)
    if raw[-1] == "":
        raw.pop()
    if not is_whole and len(raw) > 1:
        raw.pop(0)
    return raw, is_whole


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
