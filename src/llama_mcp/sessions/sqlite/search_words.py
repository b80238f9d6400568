"""What is compared in a search: words, in any script, however they are written."""

import re
import unicodedata
from functools import lru_cache

# Scripts written without spaces (Thai to Myanmar, Khmer, Chinese, Japanese) and Korean, whose
# words carry endings: each character is a word to the index, and a word of a query a phrase.
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff])"
)
_WORD = re.compile(r"[^\W_]+")
# More would make a query slow and find nothing.
_QUERY_WORDS = 16
_PREFIX_FROM_CHARACTERS = 3
_SNIPPET_BEFORE = 50
_SNIPPET_CHARACTERS = 200


def searchable(first: str, second: str) -> str:
    """Return two texts as the index takes them: words apart, no NUL."""
    text = f"{first}\n{second}"
    if text.isascii():
        return text.replace("\x00", " ")
    return _UNSPACED.sub(r" \1 ", text).replace("\x00", " ")


def build_match(query: str) -> str | None:
    """Return the query, plain words, as an FTS5 expression; None when it has no word.

    All words must be there; a word of three letters or more also finds longer ones that begin
    with it.
    """
    phrases = []
    for word in query.split()[:_QUERY_WORDS]:
        pieces = _WORD.findall(_UNSPACED.sub(r" \1 ", word))
        if pieces:
            star = "*" if len(pieces[-1]) >= _PREFIX_FROM_CHARACTERS else ""
            phrases.append(f'"{" ".join(pieces)}"{star}')
    return " AND ".join(phrases) or None


def cut_snippet(texts: tuple[str, ...], query: str) -> str:
    """Return the piece of the texts that has the longest word of the query, on one line."""
    folded = [_fold(text) for text in texts]
    # The longest word says most about why the text was found.
    for word in sorted(set(_WORD.findall(_fold(query))), key=len, reverse=True):
        for text, comparable in zip(texts, folded, strict=True):
            position = _find(word, comparable)
            if position >= 0:
                return _piece(text, position)
    return _piece(texts[0], 0)


def _find(word: str, text: str) -> int:
    """Return where the word is, at the beginning of another if possible; -1 when it is not."""
    beginning = re.search(rf"(?<![^\W_]){re.escape(word)}", text)
    return beginning.start() if beginning else text.find(word)


def _fold(text: str) -> str:
    """Return the text in lower case and without accents, of the same length."""
    if text.isascii():
        return text.lower()
    return "".join(map(_fold_character, text))


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    return unicodedata.normalize("NFD", character)[0].lower()[0]


def _piece(text: str, position: int) -> str:
    start = max(0, position - _SNIPPET_BEFORE)
    end = start + _SNIPPET_CHARACTERS
    shown = "".join(c if c.isprintable() else " " for c in text[start:end])
    line = " ".join(shown.split())
    return f"{'…' if start else ''}{line}{'…' if end < len(text) else ''}"
