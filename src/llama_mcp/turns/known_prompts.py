"""Prompts whose length llama-server has told: by them the next ones mostly need not be counted.

A session's next prompt begins with the messages of the last one, and what follows has no more
tokens than bytes. So llama-server, which reads the whole history to count it, is asked only where a
prompt may reach the end of the window.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Any

from llama_mcp.llama_server.ready_server import TEMPLATE_TOKENS_PER_MESSAGE
from llama_mcp.turns.chat_request import Sampling
from llama_mcp.turns.message_parts import ChatMessage, has_picture, text_of
from llama_mcp.turns.replies.figures import count_of

# What a template adds besides the messages, such as a system prompt of its own.
TEMPLATE_TOKENS = 512
KEPT_SESSIONS = 256

_SAID = itemgetter("role", "content")


@dataclass(frozen=True, slots=True)
class KnownPrompt:
    """A prompt that a launch of llama-server has read, with its tokens, the template's included."""

    serving_id: str
    message_count: int
    digest: int
    most_tokens: int

    def most_tokens_of(self, messages: Sequence[ChatMessage]) -> int | None:
        """Return how many tokens a prompt has at the most; None if it does not begin with this one.

        There may be no picture in it. Where texts meet, tokens change, by a few: what a template
        may add to a message covers them (tests/turns/test_known_prompts.py).
        """
        if _digest(messages, self.message_count) != self.digest:
            return None
        rest = messages[self.message_count :]
        return self.most_tokens + TEMPLATE_TOKENS_PER_MESSAGE + most_tokens_of(rest)


class KnownPrompts:
    """The last known prompt of each session that has lately had a turn in this process."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, KnownPrompt] = OrderedDict()

    def note(
        self,
        session_id: str,
        serving_id: str,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        usage: Mapping[str, Any],
    ) -> None:
        """Remember how long a session's prompt is.

        Args:
            session_id: The session.
            serving_id: The launch of llama-server that has read the prompt.
            messages: The prompt.
            sampling: What it was sent with.
            usage: What llama-server has told at the end of the reply. No other figure will do:
                older builds leave out of theirs what was cached.
        """
        tokens = count_of(usage.get("prompt_tokens"))
        if not tokens or any(map(has_picture, messages)):
            return
        # With these a template may say something else, and prompts are counted without them.
        is_usual = sampling.thinking is None and sampling.json_schema is None
        most = tokens if is_usual else tokens + TEMPLATE_TOKENS
        digest = _digest(messages, len(messages))
        self._known[session_id] = KnownPrompt(serving_id, len(messages), digest, most)
        self._known.move_to_end(session_id)
        if len(self._known) > KEPT_SESSIONS:
            self._known.popitem(last=False)

    def of(self, session_id: str, serving_id: str) -> KnownPrompt | None:
        """Return the session's last known prompt with that launch."""
        known = self._known.get(session_id)
        return known if known is not None and known.serving_id == serving_id else None


def most_tokens_of(messages: Sequence[ChatMessage]) -> int:
    """Return how many tokens messages have at the most with any tokenizer, their template included.

    A token stands for at least one byte of text. There may be no picture in them: what one takes,
    only llama-server knows.
    """
    text_bytes = sum(len(text_of(message).encode("utf-8")) for message in messages)
    return text_bytes + TEMPLATE_TOKENS_PER_MESSAGE * len(messages)


def _digest(messages: Sequence[ChatMessage], count: int) -> int:
    # Of 64 bits, and another one in each process; it is compared in this one only.
    return hash(tuple(map(_SAID, islice(messages, count))))
