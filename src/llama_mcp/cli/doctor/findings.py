"""One line of the doctor's: how it stands, what was seen, and what to do."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from llama_mcp.settings import Settings


class Level(StrEnum):
    """How something stands."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found.

    Attributes:
        level: How it stands.
        text: What was seen.
        next_step: What to do; None where there is nothing to do.
    """

    level: Level
    text: str
    next_step: str | None = None


def fine(text: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Level.OK, text)


def warning(text: str, next_step: str) -> Finding:
    """Return what works, and may not do so for ever or for everybody."""
    return Finding(Level.WARNING, text, next_step)


def fault(text: str, next_step: str) -> Finding:
    """Return what keeps llama-mcp from working."""
    return Finding(Level.FAULT, text, next_step)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the checks look at.

    Attributes:
        environment: What this process was started with.
        settings: The operator's, from that environment.
        scratch: An empty folder that goes at the end.
        proves_all: Whether every entry of a client is to be proved, and with a model.
    """

    environment: Mapping[str, str]
    settings: Settings
    scratch: Path
    proves_all: bool = False

    @property
    def apart(self) -> Settings:
        """The settings with the scratch folder for a home: for rooms that write what they know."""
        moved = self.settings.model_copy(update={"home": self.scratch})
        others = [each for each in moved.faults if each.name != "home"]
        return moved.with_findings(others, moved.notices)


Look = Callable[[Circumstances], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at, apart from all others.

    Attributes:
        topic: What its lines are about, in a word.
        look: Does it; it may raise, and it may hang.
        seconds: How long it may take.
        starts_programs: Whether its end is waited for, so that what it has started ends with it.
    """

    topic: str
    look: Look
    seconds: float = 60.0
    starts_programs: bool = False
