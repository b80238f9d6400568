"""Records of a turn as it begins: what its prompt is made of, and what may be cached of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from llama_mcp.sessions.attachments import Attachment
from llama_mcp.sessions.records import Session

# How many other sessions are counted that came between two turns. llama-server keeps far fewer in
# its slots and its memory: so many explain as much as more would.
MOST_OTHER_SESSIONS = 100


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """What the archive knows about whether llama-server can have kept a session's prompt."""

    is_first_turn: bool
    """No earlier turn of the session was sent to a llama-server."""
    last_run: str | None
    """The launch of llama-server that served the previous turn; None when unknown."""
    was_system_prompt_changed: bool
    """Since the previous turn."""
    other_sessions: int = 0
    """Read by older versions that take a turn over; this one counts them when they matter."""
    last_model: str | None = None
    """The model that answered the previous turn; None when unknown."""
    read_seconds: float | None = None
    """How long reading the previous turn's prompt takes, all of it; None when unknown."""


class EarlierTurn(NamedTuple):
    """What later prompts need of a turn. A session has thousands, so this is all that is read."""

    turn: int
    message: str
    reply: str


@dataclass(frozen=True, slots=True)
class BegunTurn:
    """A turn that is in the archive and has no reply yet."""

    session: Session
    owner: str
    """Whose the session is."""
    turn: int
    earlier: tuple[EarlierTurn, ...]
    """The turns that belong in the prompt, oldest first."""
    first_turn_in_prompt: int
    """The turns before this one are left out of the prompt; 1 when none is."""
    cache: CacheFacts
    stream_id: str | None = None
    """By which its reply can be read on; None when it ends with its reader."""
    attached: Mapping[int, tuple[Attachment, ...]] = field(default_factory=dict)
    """What was sent with the messages of these turns, and of this one, by turn."""
