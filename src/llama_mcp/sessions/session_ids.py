"""Session ids such as k7m2-q9x4-tbhz: long enough not to collide, easy to repeat without error."""

import re
import secrets

from llama_mcp.sessions.errors import SessionNotFoundError

# No vowels, so that no words come out; no 0, 1 or l, which are easily misread. 12 of these are
# 57 bits.
ALPHABET = "23456789bcdfghjkmnpqrstvwxyz"
_GROUPS = 3
_GROUP_LENGTH = 4
_FORM = re.compile(rf"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}")
# How much of a caller's text is repeated in an error.
_SHOWN_CHARACTERS = 40


def mint_session_id() -> str:
    """Return a new id that nobody can guess."""
    groups = (
        "".join(secrets.choice(ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)
    )
    return "-".join(groups)


def check_session_id(text: str) -> str:
    """Return the text as an id; spaces around it and upper case are accepted.

    Raises:
        SessionNotFoundError: The text cannot be an id: a path, a wildcard, a URI.
    """
    session_id = text.strip().lower()
    if not _FORM.fullmatch(session_id):
        raise SessionNotFoundError(_shown(text))
    return session_id


def is_id_prefix(text: str) -> bool:
    """Return whether an id could begin like this."""
    return all(character in ALPHABET or character == "-" for character in text)


def _shown(text: str) -> str:
    cleaned = "".join(c if c.isprintable() else "?" for c in text[: _SHOWN_CHARACTERS + 1])
    return cleaned if len(cleaned) <= _SHOWN_CHARACTERS else cleaned[:_SHOWN_CHARACTERS] + "…"
