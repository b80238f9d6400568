"""What a person types: lines with a history, and messages of several lines.

readline edits lines where Python has it; the console does so on Windows.
"""

import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llama_mcp.sessions.texts import clean_text

PROMPT, NEXT_PROMPT = ">>> ", "... "
QUOTES = '"""'
_KEPT, _MOST_KEPT = 1000, 2000


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed: a message, or a command of the conversation."""

    text: str
    is_command: bool = False


class TypedLines:
    """Reads messages from the terminal, and keeps what was typed for the next time."""

    def __init__(self, history: Path) -> None:
        """Take the file of what was typed before; it need not exist."""
        self._history = history
        _recall(self._read_history())

    def next(self) -> Typed | None:
        """Return what was typed next; None at the end of input.

        A line is a command that begins with a slash; a blank before it makes it a message.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; what was typed is forgotten.
        """
        try:
            line = input(PROMPT)
        except EOFError:
            return None
        is_quoted = line.lstrip().startswith(QUOTES)
        typed = self._several(line) if is_quoted else line
        if typed.strip():
            self._remember(typed)
        text = clean_text(_without_quotes(typed) if is_quoted else typed.strip())
        return Typed(text, is_command=line.startswith("/"))

    def _several(self, first: str) -> str:
        lines = [first]
        while not _is_closed("\n".join(lines)):
            try:
                lines.append(input(NEXT_PROMPT))
            except EOFError:  # Ctrl-D ends the text, as it ends one of `cat`
                print()
                break
        return "\n".join(lines)

    def _remember(self, typed: str) -> None:
        """Add it to the history; a disk that is full must not end the conversation."""
        _recall([typed])
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with suppress(OSError):
            self._history.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(self._history, flags, 0o600), "a", encoding="utf-8") as file:
                file.write(json.dumps(clean_text(typed)) + "\n")

    def _read_history(self) -> list[str]:
        """Return what was typed before, the oldest first; what cannot be read is left out."""
        try:
            lines = self._history.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        entries = []
        for line in lines[-_KEPT:]:
            with suppress(ValueError):
                entry = json.loads(line)
                entries += [entry] if isinstance(entry, str) else []
        if len(lines) > _MOST_KEPT:
            self._shorten(lines[-_KEPT:])
        return entries

    def _shorten(self, lines: list[str]) -> None:
        temporary = self._history.with_name(f"{self._history.name}.{os.getpid()}.tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with suppress(OSError):
            with open(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
            temporary.replace(self._history)


def _recall(entries: Iterable[str]) -> None:
    """Have the key for older lines give these, too; Windows' console does so by itself."""
    if sys.platform != "win32":
        try:
            import readline
        except ImportError:  # some builds of Python come without
            return
        readline.set_auto_history(False)
        for entry in entries:
            with suppress(UnicodeEncodeError):  # what the terminal's encoding does not have
                readline.add_history(entry)


def _is_closed(text: str) -> bool:
    inside = text.strip().removeprefix(QUOTES)
    return inside.endswith(QUOTES)


def _without_quotes(typed: str) -> str:
    return typed.strip().removeprefix(QUOTES).removesuffix(QUOTES).strip("\n")
