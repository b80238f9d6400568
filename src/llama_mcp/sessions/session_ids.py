"""Session ids such as k7m2-q9x4-tbhz: long enough not to collide, easy to repeat without error."""

import secrets
import unicodedata

# No vowels, so that no words come out; no 0, 1 or l, which are easily misread. 12 of these are
# 57 bits.
ALPHABET = "23456789bcdfghjkmnpqrstvwxyz"
_GROUPS = 3
_GROUP_LENGTH = 4
_LENGTH = _GROUPS * (_GROUP_LENGTH + 1) - 1
# What callers copy along with an id: quotes, brackets, the dots of one that was cut short.
_AROUND = "\"'`“”‘’«»<>()[]{},;:.…"
_BEFORE = ("llama://sessions/", "session_id=", "session_id:", "session ")
_AFTER = ".json"


def mint_session_id() -> str:
    """Return a new id that nobody can guess."""
    groups = (
        "".join(secrets.choice(ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)
    )
    return "-".join(groups)


def parse_session_id(text: str) -> str | None:
    """Return the id that a caller means, or its beginning; None when the text can be neither.

    Case, hyphens and what is around it make no difference, nor does the URI of its transcript.
    """
    plain = unicodedata.normalize("NFKC", text).casefold().strip().strip(_AROUND).strip()
    for before in _BEFORE:
        plain = plain.removeprefix(before).strip().strip(_AROUND)
    plain = plain.removesuffix(_AFTER).strip(_AROUND)
    letters = "".join(c for c in plain if unicodedata.category(c) != "Pd")
    groups = [letters[i : i + _GROUP_LENGTH] for i in range(0, len(letters), _GROUP_LENGTH)]
    session_id = "-".join(groups)
    is_possible = 0 < len(session_id) <= _LENGTH and set(letters) <= set(ALPHABET)
    return session_id if is_possible else None


def is_whole(session_id: str) -> bool:
    """Return whether what parse_session_id gave is a whole id."""
    return len(session_id) == _LENGTH
