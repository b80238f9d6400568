"""The time, as the archive writes it."""

from datetime import UTC, datetime


def utc_now() -> str:
    """Return the time as 2026-11-22T10:43:00.123Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
