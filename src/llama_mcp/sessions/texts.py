"""The archive's texts: always valid Unicode, titles made from a message, times."""

import time
from datetime import UTC, datetime

_TITLE_CHARACTERS = 80
_NO_TITLE = "Untitled"


def clean_text(text: str) -> str:
    """Return the text as valid Unicode; NUL and everything else that is valid stays.

    The two halves of a surrogate pair become their character, and a lone half becomes U+FFFD: a
    half cannot be written as UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean_title(text: str) -> str:
    """Return the text as one short line; empty when it has nothing to show."""
    # A title needs the beginning only, and a message may have a megabyte.
    printable = "".join(c if c.isprintable() else " " for c in clean_text(text[:2000]))
    line = " ".join(printable.split())
    if len(line) <= _TITLE_CHARACTERS:
        return line
    cut = line[: _TITLE_CHARACTERS - 1]
    words, space, _ = cut.rpartition(" ")
    return (words if space and len(words) > _TITLE_CHARACTERS // 2 else cut).rstrip() + "…"


def title_from(message: str) -> str:
    """Return the title of a session that begins with the message."""
    return clean_title(message) or _NO_TITLE


def utc_text(timestamp: float) -> str:
    """Return a time in seconds since 1970 as 2026-11-22T10:43:00.123Z."""
    return moment_text(datetime.fromtimestamp(timestamp, UTC))


def moment_text(moment: datetime) -> str:
    """Return a time as the archive writes it; one without a zone is taken for UTC."""
    in_utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return in_utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_since(moment: str) -> float:
    """Return how long ago a time is that the archive has."""
    return time.time() - datetime.fromisoformat(moment).timestamp()


def utc_now() -> str:
    """Return the present time as the archive writes it."""
    return utc_text(time.time())
