"""Who calls: whose everything is that a call makes or sees, and what it may do."""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

LOCAL_OWNER = "local"
"""Who owns what is said over stdio and at the terminal of this machine."""


class Scope(IntEnum):
    """What a caller may do; each scope includes those before it."""

    CHAT = 1
    """Talk to models that have a name, with sessions and files of one's own; look at the state."""
    OPERATE = 2
    """Start and stop named models, and download."""
    ADMIN = 3
    """Name paths, engines and flags; read the log; see figures of all."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a caller's turns may take; None: any number."""

    turns_at_once: int | None = None
    """Turns and jobs under way, those that wait for a slot or a model among them."""
    tokens_a_day: int | None = None
    """Tokens, read and written, of the turns and jobs that ended within 24 hours."""


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Caller:
    """One who calls. Over HTTP it is the bearer of a token, by the token's name."""

    owner: str
    """Whose sessions, turns and files the caller sees: its own only."""
    scope: Scope = Scope.CHAT
    file_dirs: tuple[Path, ...] | None = ()
    """Folders whose files it may name; None: as the settings say."""
    save_dirs: tuple[Path, ...] | None = ()
    """Folders in which its replies may be saved; None: as the settings say."""
    turns_at_once: int | None = None
    """How many of its turns may be under way; None: any number."""
    tokens_a_day: int | None = None
    """How many tokens, read and written, its turns of 24 hours may take; None: any number."""

    @property
    def limits(self) -> Limits:
        """What its turns may take."""
        return Limits(self.turns_at_once, self.tokens_a_day)

    @property
    def whose_figures(self) -> str | None:
        """Whose turns the figures count that the caller is shown; None for those of all."""
        return None if self.may(Scope.ADMIN) else self.owner

    def may(self, scope: Scope) -> bool:
        """Tell whether the caller has that scope."""
        return self.scope >= scope


LOCAL = Caller(LOCAL_OWNER, Scope.ADMIN, file_dirs=None, save_dirs=None)
"""The person whose machine this is."""
