"""What people see: one short line per thing, and colours only where a terminal shows them."""

import io
import os
import sys
from collections.abc import Mapping
from enum import Enum
from typing import TextIO

from llama_mcp.visible_text import visible

RESET = "\x1b[0m"
_USUAL_SIZE = (80, 24)


class Colour(Enum):
    """Colours that every terminal has (ECMA-48, Select Graphic Rendition)."""

    GREEN = "\x1b[32m"
    YELLOW = "\x1b[33m"
    RED = "\x1b[31m"
    DIM = "\x1b[2m"
    BOLD = "\x1b[1m"


class Terminal:
    """A stream for people; its texts are made harmless, and coloured where that shows."""

    def __init__(self, environment: Mapping[str, str], stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(errors="replace")  # an old encoding must end no command
        self.is_terminal = self._stream.isatty()
        self.obeys_codes = self.is_terminal and environment.get("TERM") != "dumb"
        self.has_colours = self.obeys_codes and not environment.get("NO_COLOR")  # no-color.org

    @property
    def columns(self) -> int | None:
        """How wide it is now; None where lines may be as long as they are."""
        return self._size()[0] if self.is_terminal else None

    @property
    def rows(self) -> int:
        """How many lines it shows now."""
        return self._size()[1]

    def line(self, text: str = "") -> None:
        """Print a line of ours or of others; what a terminal would obey is spelled out."""
        print(visible(text), file=self._stream)

    def coloured(self, text: str, colour: Colour) -> str:
        """Return the harmless text in a colour, or as it is where none shows."""
        shown = visible(text)
        return f"{colour.value}{shown}{RESET}" if self.has_colours else shown

    def write(self, shown: str) -> None:
        """Print what was made harmless already, at once and without a line end of its own."""
        self._stream.write(shown)
        self._stream.flush()

    def _size(self) -> tuple[int, int]:
        try:
            columns, rows = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            columns, rows = 0, 0
        return columns or _USUAL_SIZE[0], rows or _USUAL_SIZE[1]  # some say 0
