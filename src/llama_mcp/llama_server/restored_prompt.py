"""What a turn knows of its session's saved prompt cache: a part of ready_server.py's interface."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from llama_mcp.errors import LlamaMCPError


@dataclass(frozen=True, slots=True)
class ServedTurn:
    """A session's last turn with one launch; None where that is not known."""

    prompt_tokens: int | None
    reply_tokens: int | None
    """Thoughts included."""


@dataclass(frozen=True, slots=True)
class KeptPrompt:
    """What is known of a session whose prompt cache may have been saved with an earlier launch."""

    session_id: str
    served: Mapping[str, ServedTurn]
    """The launches that have served it, of whatever model."""
    read_seconds: float | None
    """How long reading such a prompt takes, by what the last turn has shown."""


FROM_DISK = "from disk"
INEFFECTIVE = "ineffective: this model cannot go on from a file"


class RestoredPrompt(Protocol):
    """What has come of a session's saved prompt cache."""

    outcome: str
    """FROM_DISK, or why it was refused."""
    tokens: int
    """How many llama-server has again; 0 when it was refused."""
    ms: float

    def let_go(self) -> None:
        """Let others restore: the reply has begun, or will not. It must be called in any case."""

    async def came_to_nothing(self, error: LlamaMCPError) -> None:
        """Have it never restored again if llama-server was lost, before anything of a reply came.

        Args:
            error: what ended the reply.
        """

    async def judged(self, cached_tokens: int | None, used_tokens: int | None) -> str:
        """Return the outcome, or INEFFECTIVE, by how much of the prompt llama-server had.

        Args:
            cached_tokens: of the prompt.
            used_tokens: by the prompt and the whole reply.
        """


class RestoresPrompts(Protocol):
    """The part of a ready llama-server that has to do with it."""

    async def restore_prompt(
        self, body: Mapping[str, Any], kept: KeptPrompt
    ) -> RestoredPrompt | None:
        """Have it go on from what was saved of the session; None when nothing was. Then chat."""
