"""What has changed in the archive since a moment, by whichever process."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionMark:
    """A moment in the archive's history; only the archive looks inside."""

    last_change: int
    sessions: int
    newest_key: int


@dataclass(frozen=True, slots=True)
class SessionChanges:
    """What has changed since a mark, by any process."""

    changed: tuple[str, ...]
    """The ids of sessions that are new or changed, in the order of the changes."""
    came_or_went: bool
    """Whether sessions were added or deleted."""
    mark: SessionMark
    """To be passed next time."""
