"""What an HTML page says: headings, paragraphs, lists and tables as plain text."""

import re
from typing import Any

_UNSEEN = frozenset({"script", "style", "noscript", "template", "head", "svg", "iframe", "object"})
_BLOCKS = frozenset(
    (
        *("p", "div", "section", "article", "header", "footer", "main", "nav", "aside", "form"),
        *("ul", "ol", "li", "dl", "dt", "dd", "table", "tr", "blockquote", "pre", "figure", "hr"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "body", "html", "fieldset", "details", "summary"),
    )
)
_MARKS = {"li": "- ", **{f"h{level}": f"{'#' * level} " for level in range(1, 7)}}
_CELLS = frozenset({"td", "th"})
_BLANKS = re.compile(r"[ \t\r\n\f]+")


def text_of_html(content: bytes) -> str:
    """Return the text of a page; its encoding is what the page or its bytes say."""
    from bs4 import BeautifulSoup

    page = BeautifulSoup(content, "html.parser")
    writing = _Writing()
    if page.title is not None and (title := page.title.get_text(" ", strip=True)):
        writing.lines.append(title)
        writing.end_block()
    writing.walk(page)
    return writing.text()


class _Writing:
    """The text so far; walks without recursion, because pages nest as deep as they like."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._line = ""
        self._literal_depth = 0

    def text(self) -> str:
        """Return all, with at most one empty line between blocks."""
        self.end_line()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines)).strip() + "\n"

    def end_line(self) -> None:
        """End the line, if something stands in it."""
        if self._line.strip():
            self.lines.append(self._line.rstrip())
        self._line = ""

    def end_block(self) -> None:
        """End the line and leave one empty."""
        self.end_line()
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def walk(self, page: Any) -> None:
        """Write all that is seen in a page."""
        from bs4.element import NavigableString, PreformattedString, Tag

        waiting: list[tuple[Any, bool]] = [(page, False)]
        while waiting:
            node, is_over = waiting.pop()
            if is_over:
                self._end(node)
            elif isinstance(node, PreformattedString):
                continue  # comments, declarations
            elif isinstance(node, NavigableString):
                self._write(node)
            elif isinstance(node, Tag) and node.name not in _UNSEEN:
                self._begin(node)
                waiting.append((node, True))
                waiting.extend((child, False) for child in reversed(node.contents))

    def _begin(self, node: Any) -> None:
        if node.name in _BLOCKS or node.name == "br":
            self.end_line()
        self._literal_depth += node.name == "pre"
        self._line += _MARKS.get(node.name, "")

    def _end(self, node: Any) -> None:
        self._literal_depth -= node.name == "pre"
        if node.name in _CELLS:
            self._line += " | "
        elif node.name == "tr":
            self._line = self._line.removesuffix(" | ")
            self.end_line()
        elif node.name == "li":
            self.end_line()
        elif node.name in _BLOCKS:
            self.end_block()

    def _write(self, text: str) -> None:
        if self._literal_depth:
            *whole, last = text.split("\n")
            for line in whole:
                self.lines.append((self._line + line).rstrip())
                self._line = ""
            self._line += last
        else:
            text = _BLANKS.sub(" ", text)
            self._line += text.lstrip() if not self._line or self._line.endswith(" ") else text
