"""Which turns of a session go into the prompt; pure, so that it can be tried on any history.

Oldest turns are left out, whole, and rarely: a cut goes down to about 60 % of the window in one
step, because each cut changes the prompt's beginning and so costs llama-server's prompt cache
(measured: a trim of one pair re-reads everything).
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from llama_mcp.llama_server.ready_server import TEMPLATE_TOKENS_PER_MESSAGE
from llama_mcp.sessions.records import ArchivedTurn

TARGET_SHARE = 0.6
# Without max_tokens this share of the window stays free for the reply.
FREE_SHARE = 1 / 8
# What a template adds beside that for each message, such as a system prompt of its own.
TEMPLATE_TOKENS = 512

ChatMessages = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Window:
    """The room that one conversation has, in tokens."""

    limit: int
    max_tokens: int | None

    @property
    def prompt_limit(self) -> int:
        """How long a prompt may be so that the reply has its room."""
        reserved = self.max_tokens or int(self.limit * FREE_SHARE)
        return max(self.limit - min(reserved, self.limit // 2), 1)

    @property
    def target(self) -> int:
        """How long the prompt is at most after a cut."""
        return min(int(self.limit * TARGET_SHARE), self.prompt_limit)


def build_messages(
    system_prompt: str | None, turns: Sequence[ArchivedTurn], message: str
) -> ChatMessages:
    """Return the prompt: system prompt, turns in order, new message.

    A turn without a reply is left out whole: many templates refuse two user messages in a row.
    """
    messages: ChatMessages = []
    if system_prompt:
        messages.append({"role": "system", "content": system_prompt})
    for turn in turns:
        if turn.reply:
            messages.append({"role": "user", "content": turn.message})
            messages.append({"role": "assistant", "content": turn.reply})
    messages.append({"role": "user", "content": message})
    return messages


def surely_fits(messages: Sequence[Mapping[str, str]], window: Window) -> bool:
    """Tell whether the prompt fits whatever the tokenizer does, so that counting can be saved.

    A token stands for at least one byte of text.
    """
    text_bytes = sum(len(message["content"].encode("utf-8")) for message in messages)
    template_tokens = TEMPLATE_TOKENS + TEMPLATE_TOKENS_PER_MESSAGE * len(messages)
    return text_bytes + template_tokens <= window.prompt_limit


def choose_cut(turn_count: int, window: Window) -> Generator[int, int, int | None]:
    """Find how many of the oldest turns to leave out.

    A generator, so that the counting, which llama-server does, stays outside: it yields a number
    of turns to leave out and is sent the prompt's tokens without them.

    Returns:
        0 when all fits, else the smallest number that brings the prompt down to the target; None
        when not even the message alone fits.
    """
    if (yield 0) <= window.prompt_limit:
        return 0
    if (yield turn_count) > window.prompt_limit:
        return None
    low, high = 1, turn_count
    while low < high:
        middle = (low + high) // 2
        if (yield middle) <= window.target:
            high = middle
        else:
            low = middle + 1
    return low
