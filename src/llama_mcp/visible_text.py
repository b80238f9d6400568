r"""Text of others as it is shown to people: what a terminal or a log would obey is spelled out.

Models, callers, files and other programs write ESC, NUL, BEL, lone carriage returns, or characters
that turn the direction of a line round. In data they stay as they are, escaped by JSON. Where text
is shown (transcripts, logs, errors, lists) each becomes its escape, such as \x1b or \u202e.
"""

import re

# The controls of ASCII and Latin-1 but for tab and line feed; the line ends that only some know;
# what embeds, overrides or isolates a direction of writing (Unicode Standard Annex 9).
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")


def visible(text: str) -> str:
    """Return the text with its control characters spelled out; lines and tabs stay."""
    return _UNSEEN.sub(_escape, text.replace("\r\n", "\n"))


def visible_line(text: str) -> str:
    """Return the text as one line: what ends a line is spelled out, too."""
    return visible(text).replace("\n", "\\n")


def escape_unseen(json_text: str) -> str:
    """Return JSON in which these characters are escaped; it means the same."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
