"""How the context window is shared out between a question and its reply."""

import json
from dataclasses import dataclass

from llama_mcp.turns.chat_request import Sampling

# A reply may take so much of the window at most: two replies and the instruction must fit in a
# question that puts them together.
REPLY_SHARE = 1 / 4
# With a schema there must be room for a second try, which reads the first reply.
CHECKED_REPLY_SHARE = 1 / 6
# What a reply may take when the caller says nothing: a page and a half.
USUAL_REPLY_TOKENS = 1024
# An instruction that leaves less than this share of the window to the text is too long.
LEAST_TEXT_SHARE = 1 / 4
# Counts of texts do not add up exactly where they meet.
SLACK_TOKENS = 8
# What a second try says besides the schema, and what is wrong, at its longest.
SECOND_TRY_TOKENS = 400
# A second try shows a schema up to this length (second_try.py), and JSON has few bytes a token.
_SHOWN_SCHEMA_BYTES = 4000
_BYTES_PER_TOKEN = 2


@dataclass(frozen=True, slots=True)
class Room:
    """The window of one question, in tokens."""

    window: int
    reply: int
    """Kept free for the reply, which gets no more."""
    second_try: int = 0
    """Kept free for asking once more; the reply to that has room of its own."""

    @property
    def question(self) -> int:
        """How long a question may be."""
        return self.window - self.reply - self.second_try

    @property
    def least_text(self) -> int:
        """How much of it a text must have, for pieces to be of use."""
        return int(self.question * LEAST_TEXT_SHARE)

    def sampling(self, asked: Sampling) -> Sampling:
        """Return how a reply is drawn: as the caller asked, and no longer than it may be."""
        return asked.model_copy(update={"max_tokens": self.reply})


def room_of(window: int, sampling: Sampling) -> Room:
    """Return how a window of so many tokens is shared out.

    Args:
        window: of each conversation.
        sampling: what the caller asks of each reply.
    """
    schema = sampling.json_schema
    share = REPLY_SHARE if schema is None else CHECKED_REPLY_SHARE
    reply = min(sampling.max_tokens or USUAL_REPLY_TOKENS, max(1, int(window * share)))
    if schema is None:
        return Room(window, reply)
    shown = len(json.dumps(schema, ensure_ascii=False).encode())
    again = shown // _BYTES_PER_TOKEN if shown <= _SHOWN_SCHEMA_BYTES else 0
    second_try = reply + min(again + SECOND_TRY_TOKENS, window // 4)
    return Room(window, reply, second_try)
