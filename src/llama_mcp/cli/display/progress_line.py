"""A line on stderr that says what is waited for, and goes when that is over."""

import time
from collections.abc import Mapping
from typing import TextIO

from llama_mcp.cli.display.columns import cut
from llama_mcp.cli.terminal import Terminal
from llama_mcp.visible_text import visible_line

# Back to the first column, and erase to the end of the line (ECMA-48, EL).
_CLEAR = "\r\x1b[K"
# Where lines stay, a wait is told once it has lasted so long, and again after so long.
_FIRST_SECONDS, _AGAIN_SECONDS = 1.0, 10.0


class ProgressLine:
    """One line that is replaced by the next; where it cannot be, a few lines that stay."""

    def __init__(self, environment: Mapping[str, str], stream: TextIO) -> None:
        self._terminal = Terminal(environment, stream)
        self._is_replaced = self._terminal.obeys_codes
        self._is_shown = False
        self._tells_at: float | None = None

    def show(self, text: str) -> None:
        """Show what is waited for now."""
        line = visible_line(text)
        if self._is_replaced:
            width = (self._terminal.columns or 80) - 1
            self._terminal.write(_CLEAR + cut(line, width))
            self._is_shown = True
            return
        now = time.monotonic()
        if self._tells_at is None:
            self._tells_at = now + _FIRST_SECONDS
        elif now >= self._tells_at:
            self._terminal.line(line)
            self._tells_at = now + _AGAIN_SECONDS

    def clear(self) -> None:
        """Take the line away, so that other text can stand there."""
        if self._is_shown:
            self._terminal.write(_CLEAR)
            self._is_shown = False
