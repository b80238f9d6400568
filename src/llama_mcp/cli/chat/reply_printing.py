"""A reply as it is printed while it comes: harmless on a terminal, to the character elsewhere."""

from llama_mcp.cli.chat.events import Event, Instead, Text, Thought, Waits
from llama_mcp.cli.display.harmless import HarmlessText
from llama_mcp.cli.display.progress_line import ProgressLine
from llama_mcp.cli.terminal import RESET, Colour, Terminal
from llama_mcp.sessions.texts import clean_text


class ReplyPrinting:
    """Prints one reply: reasoning dim where that shows, and a line of progress until it begins."""

    def __init__(self, terminal: Terminal, progress: ProgressLine) -> None:
        self._terminal = terminal
        self._progress = progress
        self._harmless = HarmlessText()
        self._is_dim = False
        self._thoughts = 0
        self._last = "\n"

    def show(self, event: Event) -> None:
        """Print what is new."""
        if isinstance(event, Waits):
            self._progress.show(event.line)
        elif isinstance(event, Thought):
            self._show_thought(event.text)
        elif isinstance(event, Text):
            self._show_text(event.text)
        elif isinstance(event, Instead):
            self.end()
            self._show_text(event.text)

    def end(self) -> None:
        """Finish the reply with a line end, and leave no colour behind."""
        self._progress.clear()
        self._write(self._harmless.end())
        self._end_thought()
        if self._last != "\n":
            self._write("\n")

    def _show_thought(self, text: str) -> None:
        self._thoughts += 1
        if not self._terminal.has_colours:
            self._progress.show(f"reasoning, {self._thoughts} pieces")
            return
        self._progress.clear()
        if not self._is_dim:
            self._terminal.write(Colour.DIM.value)
            self._is_dim = True
        self._write(self._harmless.take(text))

    def _show_text(self, text: str) -> None:
        self._progress.clear()
        self._end_thought()
        is_shown = self._terminal.is_terminal
        self._write(self._harmless.take(text) if is_shown else clean_text(text))

    def _end_thought(self) -> None:
        if self._is_dim:
            self._is_dim = False
            self._write(self._harmless.end())
            self._terminal.write(RESET)
            self._write("\n\n" if self._last != "\n" else "\n")

    def _write(self, shown: str) -> None:
        if shown:
            self._terminal.write(shown)
            self._last = shown[-1]
