"""Marks round a text of others in a prompt: named so that no text can end its own, or begin one."""

import re
from collections.abc import Iterable
from itertools import count


def free_mark(word: str, texts: Iterable[str]) -> str:
    """Return a name for marks that no text has: the word, or with the smallest number that is free.

    Case makes no difference, as it makes none to a model.
    """
    # One look at each text: a hostile one has as many marks as it has room for.
    pattern = re.compile(f"</?{word}(?:-([0-9]{{1,8}}))?", re.IGNORECASE)
    numbers = {found[1] or "" for text in texts for found in pattern.finditer(text)}
    if not numbers:
        return word
    # A mark that begins like ours is ours to a model.
    taken = {number[:digits] for number in numbers for digits in range(1, len(number) + 1)}
    return next(f"{word}-{number}" for number in count(2) if str(number) not in taken)
