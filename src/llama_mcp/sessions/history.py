"""A conversation that began elsewhere, checked and split into turns."""

from collections.abc import Sequence
from dataclasses import dataclass

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.sessions.records import Message

_ADVICE = (
    "Pass an optional system message, then user and assistant messages in turn, ending with the "
    "assistant's; the next user message goes in message."
)


@dataclass(frozen=True, slots=True)
class ImportedHistory:
    """What a session begins with: its system prompt and (message, reply) pairs."""

    system_prompt: str | None
    exchanges: tuple[tuple[str, str], ...]


def import_history(system_prompt: str | None, history: Sequence[Message]) -> ImportedHistory:
    """Return what a session with this history begins with.

    Raises:
        InvalidArgumentError: The roles are not in turn, or there are two system prompts.
    """
    messages = list(history)
    if messages and messages[0].role == "system":
        if system_prompt is not None:
            raise InvalidArgumentError(
                "history",
                "has a system message although system_prompt is given",
                "Pass one of them.",
            )
        system_prompt = messages.pop(0).content
    _check_order(messages, first_index=len(history) - len(messages))
    pairs = zip(messages[::2], messages[1::2], strict=True)
    return ImportedHistory(
        system_prompt or None, tuple((user.content, reply.content) for user, reply in pairs)
    )


def _check_order(messages: Sequence[Message], first_index: int) -> None:
    for position, message in enumerate(messages):
        expected = "assistant" if position % 2 else "user"
        if message.role != expected:
            index = first_index + position
            raise _refusal(f"has the role {message.role!r} at index {index}, not {expected!r}")
    if len(messages) % 2:
        raise _refusal("ends with a user message")


def _refusal(problem: str) -> InvalidArgumentError:
    return InvalidArgumentError("history", problem, _ADVICE)
