"""What the thread that prints is told of a reply, in the order in which it happens."""

from dataclasses import dataclass

from llama_mcp.errors import LlamaMCPError
from llama_mcp.turns.replies.reply import ChatReply


@dataclass(frozen=True, slots=True)
class Waits:
    """What the reply waits for, in a line."""

    line: str


@dataclass(frozen=True, slots=True)
class Thought:
    """More of the reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """More of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class Instead:
    """The whole reply: what was told before of it turned out to be reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class Over:
    """The reply is over, and in the archive."""

    reply: ChatReply


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """It was stopped before anything was sent."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It failed, and why."""

    error: LlamaMCPError


@dataclass(frozen=True, slots=True)
class Broken:
    """A bug ended it; waiting for the task raises what it was."""


Event = Waits | Thought | Text | Instead | Over | Withdrawn | Failed | Broken
END = (Over, Withdrawn, Failed, Broken)
