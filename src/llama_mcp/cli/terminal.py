"""What people see: one short line per thing, and colours only where a terminal shows them."""

import sys
from collections.abc import Mapping
from enum import Enum
from typing import TextIO

from llama_mcp.visible_text import visible

RESET = "\x1b[0m"


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
        self.has_colours = self._stream.isatty() and _takes_colours(environment)

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


def _takes_colours(environment: Mapping[str, str]) -> bool:
    """Return whether colours are wanted: see no-color.org for NO_COLOR."""
    return not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
