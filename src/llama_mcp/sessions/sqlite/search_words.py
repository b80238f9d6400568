"""What is compared in a search: words and symbols, in any script, however they are written.

Two spellings are the same when Unicode calls them compatible and caseless (NFKC_Casefold of the
Unicode Standard, 3.13), and when they differ only in accents or in what is not seen. So é as one or
two characters, ﬁ, full width, İ, ß and a Greek final sigma are found from any other spelling, and
`resume` finds `résumé`. Vowel signs (of Devanagari, say) are marks too, and stay parts of words.

The index is told apart by this module alone: its tokenizer only parts at the blanks that
searchable() writes, and knows no Unicode.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llama_mcp.sessions.texts import clean_text

# Scripts written without spaces (Thai to Myanmar, Khmer, Chinese, Japanese and others) and Korean,
# whose words carry endings: each character is a word to the index, and a word of a query a phrase.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u2e80-\u2fdf\u3005-\u3007"
    "\u3040-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua980-\ua9ff\uaa60-\uaadf\uac00-\ud7a3"
    "\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
# Punctuation to Unicode, but people search for `c#`, `5 %` and `@name`.
_SYMBOLS = frozenset("#%&@§‰")
# What no decomposition parts, though people leave its stroke out; the first is Turkish for a
# small I.
_BARE = str.maketrans(
    {"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe"}
)
# Below are viramas, nuktas and the marks of Japanese, which make other letters; from here on come
# the points of Hebrew, Arabic and Syriac, which are mostly left out.
_POINTS = range(10, 37)
# From here on come the accents. Between the two are the vowels and tones of Thai, Lao and Tibetan.
_FIRST_ACCENT = 200
# Seen as another form of the character before, or not at all: joiners, variations, the skin of an
# emoji, the line that makes an Arabic word longer.
_UNSEEN = re.compile(
    "[\u034f\u0640\u180b-\u180f\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0000-\U000e0fff]"
)

# More of a word (a line of Chinese, say) would make a query slow.
_WORD_PIECES = 100
_PREFIX_FROM_CHARACTERS = 3
_SNIPPET_BEFORE = 50
_SNIPPET_CHARACTERS = 200


class _Table(dict[int, str]):
    """What str.translate makes of each character, worked out when the character is first met."""

    def __init__(self, make: Callable[[str], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, code: int) -> str:
        self[code] = self._make(chr(code))
        return self[code]


def _spelled_as(character: str) -> str:
    decomposed = unicodedata.normalize("NFD", character)
    for _ in range(2):
        decomposed = unicodedata.normalize("NFKD", decomposed.casefold())
    return decomposed


def _compared_as(character: str) -> str:
    return "".join(map(_piece_of, _spelled_as(character).translate(_BARE)))


def _piece_of(character: str) -> str:
    """Return a folded character as the index takes it: itself, apart from others, or not at all."""
    category = unicodedata.category(character)
    if category in ("Cf", "Me") or _UNSEEN.match(character) or _is_accent(character):
        return ""
    if category[0] in "LMN" or category == "Co":
        return character
    # Cn: a character that is newer than this Python, an emoji most likely.
    if character in _SYMBOLS or category in ("Sm", "Sc", "So", "Cn"):
        return f" {character} "
    return " "


def _is_accent(character: str) -> bool:
    mark = unicodedata.combining(character)
    return mark in _POINTS or mark >= _FIRST_ACCENT


def _spaced(character: str) -> str:
    return f" {character} " if _UNSPACED.match(character) else character


_SPELLED = _Table(_spelled_as)
_COMPARED = _Table(_compared_as)
_SPACED = _Table(_spaced)


@dataclass(frozen=True, slots=True)
class QueryWord:
    """A word of a query: the pieces that must follow each other in a text."""

    pieces: tuple[str, ...]

    @property
    def match(self) -> str:
        """The word as an FTS5 expression; three letters or more also find longer words."""
        return f'"{" ".join(self.pieces)}"{"*" if self.finds_longer else ""}'

    def match_of(self, endings: Sequence[str]) -> str:
        """Return the same, with all words of the index that its last piece finds."""
        return " OR ".join(f'"{" ".join((*self.pieces[:-1], each))}"' for each in endings)

    @property
    def beginning(self) -> str:
        """The same as a piece of a text as searchable() gives it, with blanks around."""
        return f" {' '.join(self.pieces)}{'' if self.finds_longer else ' '}"

    @property
    def finds_longer(self) -> bool:
        """Whether it finds words that begin with its last piece."""
        return len(self.pieces[-1]) >= _PREFIX_FROM_CHARACTERS

    @property
    def pattern(self) -> str:
        """The word as a regular expression for folded texts."""
        pieces = (re.escape(unicodedata.normalize("NFD", piece)) for piece in self.pieces)
        return r"\s*".join(pieces)


def searchable(first: str, second: str) -> str:
    """Return two texts as the index takes them: folded, words and symbols apart by blanks.

    It follows the Unicode of this Python. What a later one calls a letter may stay in the index
    when its text is deleted; it then points to nothing.
    """
    text = f"{first}\n{second}"
    comparable = text.translate(_COMPARED)
    if text.isascii():
        return comparable
    return unicodedata.normalize("NFC", comparable).translate(_SPACED)


def split_query(query: str) -> tuple[QueryWord, ...]:
    """Return the different words of a query, in its order; none for punctuation alone."""
    words = (searchable(word, "").split()[:_WORD_PIECES] for word in clean_text(query).split())
    return tuple(dict.fromkeys(QueryWord(tuple(pieces)) for pieces in words if pieces))


def spelled(text: str) -> str:
    """Return a text to look in for punctuation, which the index does not have."""
    if text.isascii():
        return text.lower()
    # The same as _SPELLED gives, but for the order of marks, and quicker.
    decomposed = unicodedata.normalize("NFKD", clean_text(text))
    return unicodedata.normalize("NFKD", decomposed.casefold())


def cut_snippets(texts: Sequence[str], found: Sequence[QueryWord] | str) -> str:
    """Return, of each text that has what was found, the piece with most to say, on one line.

    Args:
        texts: a title, or a message, its reply and the names of its files.
        found: the words of the query, or the text that it is when it has no word.
    """
    places = [
        (text, _find_text(text, found) if isinstance(found, str) else _find_word(text, found))
        for text in texts
    ]
    shown = [(text, place) for text, place in places if place is not None]
    room = _SNIPPET_CHARACTERS // max(1, len(shown))
    pieces = [_piece_around(text, place, room) for text, place in shown]
    return " ".join(pieces) or _piece_around(texts[0], 0, _SNIPPET_CHARACTERS)


def _find_word(text: str, words: Sequence[QueryWord]) -> int | None:
    """Return where the longest word of the query is that the text has."""
    comparable = text.translate(_COMPARED)
    # The longest word says most about why the text was found.
    for word in sorted(words, key=lambda word: -sum(map(len, word.pieces))):
        # At the beginning of another word if possible.
        for pattern in (rf"(?<!\S){word.pattern}", word.pattern):
            if found := re.search(pattern, comparable):
                return _place_in(text, found.start(), _COMPARED)
    return None


def _find_text(text: str, sought: str) -> int | None:
    position = text.translate(_SPELLED).find(sought)
    return _place_in(text, position, _SPELLED) if position >= 0 else None


def _place_in(text: str, position: int, table: _Table) -> int:
    """Return which character of the text gave what is at the position of the translated text."""
    reached = 0
    for place, character in enumerate(text):
        reached += len(table[ord(character)])
        if reached > position:
            return place
    return 0


def _piece_around(text: str, place: int, characters: int) -> str:
    start = max(0, place - min(_SNIPPET_BEFORE, characters // 3))
    end = start + characters
    shown = "".join(c if c.isprintable() else " " for c in text[start:end])
    line = " ".join(shown.split())
    return f"{'…' if start else ''}{line}{'…' if end < len(text) else ''}"
