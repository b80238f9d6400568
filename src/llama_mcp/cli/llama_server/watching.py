"""A screen that is drawn again every second, and leaves the terminal as it was."""

import sys
from collections.abc import Awaitable, Callable

import anyio

from llama_mcp.cli.display.json_output import print_json
from llama_mcp.cli.llama_server.screen import screen
from llama_mcp.cli.terminal import Terminal
from llama_mcp.observing.overview import Overview

INTERVAL_SECONDS = 1.0
# A second screen without a cursor (xterm, DECSET 1049 and 25), and the first one as it was.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
# To the upper left; the rest of a line; the rest of the screen.
_HOME, _END_OF_LINE, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


async def watch(
    look: Callable[[], Awaitable[Overview]], terminal: Terminal, *, is_json: bool
) -> None:
    """Show what is seen, every second, until cancelled; in JSON a document a line."""
    if is_json:
        while True:
            print_json(await look(), indent=None)
            await anyio.sleep(INTERVAL_SECONDS)
    terminal.write(_ENTER)
    try:
        while True:
            draw(screen(await look(), terminal), terminal)
            await anyio.sleep(INTERVAL_SECONDS)
    finally:
        terminal.write(_LEAVE)
        sys.stdout.flush()


def draw(lines: list[str], terminal: Terminal) -> None:
    """Draw as many lines as there is room for; a line end after the last would scroll."""
    shown = lines[: terminal.rows]
    terminal.write(_HOME + f"{_END_OF_LINE}\r\n".join(shown) + _END_OF_LINE + _BELOW)
