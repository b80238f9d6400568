"""What has changed in the archive since a moment, by whichever process."""

from dataclasses import dataclass
from typing import NamedTuple


class OwnersList(NamedTuple):
    """What tells one state of an owner's list of sessions from another."""

    owner: str
    sessions: int
    newest_key: int


@dataclass(frozen=True, slots=True)
class SessionMark:
    """A moment in the archive's history; only the archive looks inside."""

    last_change: int
    lists: tuple[OwnersList, ...]
    """Of owners that ever had a session."""

    @classmethod
    def of_owner(
        cls, owner: str, last_change: int, sessions: int, newest_key: int
    ) -> "SessionMark":
        """Return a mark that knows the list of one owner; those of others count as changed."""
        known = OwnersList(owner, sessions, newest_key)
        return cls(last_change, (known,) if newest_key else ())


class ChangedSession(NamedTuple):
    """A session that is new or has changed, and whose it is."""

    session_id: str
    owner: str


@dataclass(frozen=True, slots=True)
class SessionChanges:
    """What has changed since a mark, by any process."""

    changed: tuple[ChangedSession, ...]
    """Sessions that are new or changed, in the order of the changes."""
    lists_changed: frozenset[str]
    """The owners of whose sessions some were added or deleted."""
    mark: SessionMark
    """To be passed next time."""
