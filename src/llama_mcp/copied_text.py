"""What copying leaves around a value; made to be imported quickly, like all that early/ reads."""

_QUOTES = frozenset(('""', "''", "``", "“”", "„“", "‘’", "«»"))
# Marks that cannot be seen and come along when text is copied; Windows puts U+202A before a path.
_UNSEEN = "\ufeff\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069"


def plain_text(text: str) -> str:
    """Return a value without what copying leaves around it: blanks, unseen marks, quotes."""
    while True:
        plain = text.strip().strip(_UNSEEN)
        if len(plain) > 1 and plain[0] + plain[-1] in _QUOTES and plain[0] not in plain[1:-1]:
            plain = plain[1:-1]
        if plain == text:
            return plain
        text = plain
