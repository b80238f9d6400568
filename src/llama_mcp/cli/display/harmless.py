"""Text of others that arrives in pieces, made harmless as it is shown."""

from llama_mcp.visible_text import visible


class HarmlessText:
    """Spells out what a terminal would obey; a line end may come in two pieces."""

    def __init__(self) -> None:
        self._held = ""

    def take(self, piece: str) -> str:
        """Return what can be shown with this piece; a CR waits for its LF."""
        text = self._held + piece
        self._held = "\r" if text.endswith("\r") else ""
        return visible(text.removesuffix("\r") if self._held else text)

    def end(self) -> str:
        """Return what was held back."""
        held, self._held = self._held, ""
        return visible(held)
