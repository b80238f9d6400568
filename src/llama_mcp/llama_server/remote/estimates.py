"""How many tokens a prompt has, for engines that do not count; learned from what they have read.

A third of a token for each byte is more than English has and less than no text has; what an engine
says at the end of a reply corrects it: exactly for a prompt that begins with one it has read.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llama_mcp.llama_server.api.token_count import PICTURE_TOKENS

_ASCII_BYTES_PER_TOKEN = 3.0
# Tokenizers made for English take a token for each or two of the bytes of other scripts.
_OTHER_BYTES_PER_TOKEN = 2.0
_TOKENS_PER_MESSAGE = 8
_TOKENS_PER_PROMPT = 16
_MARGIN = 1.1
_LEAST_FACTOR, _MOST_FACTOR = 0.5, 4.0
_LATEST = 8
KNOWN_PROMPTS = 512
# No prompt of ordinary text has more bytes a token; indented code comes near.
_MOST_DENSITY = 8.0
# Compared with what the engine itself has counted of other prompts.
_UNUSUAL = 1.8
_LEAST_GROWTH = 1 / 12
_SLACK_TOKENS = 64
# Of short prompts the template is the larger part.
_LEAST_JUDGED_BYTES = 4000


class TokenEstimates:
    """What one engine's counts have taught; it forgets what is old."""

    def __init__(self) -> None:
        # Tokens of prompts that were read, by a digest of their messages.
        self._known: OrderedDict[int, int] = OrderedDict()
        self._factors: deque[float] = deque(maxlen=_LATEST)
        self._densities: deque[float] = deque(maxlen=_LATEST)

    def estimate(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Return how many tokens a prompt has at about the most."""
        tokens, read = self._known_part(messages)
        rest = rough_tokens(messages[read:])
        whole = tokens + rest * _MARGIN * self._factor() + _TOKENS_PER_PROMPT
        return math.ceil(whole)

    def learn(self, messages: Sequence[Mapping[str, Any]], prompt_tokens: int) -> str | None:
        """Take how many tokens the engine says that it has read of a prompt.

        Returns:
            None; or, where that is too few for the prompt, what was measured, in a sentence. From
            such a count nothing is learned.
        """
        if prompt_tokens <= 0 or any(_pictures(message) for message in messages):
            return None
        if self._is_too_few(messages, prompt_tokens):
            text_bytes = _bytes_of(messages)
            return (
                f"The engine says that it has read {prompt_tokens} tokens of a prompt of "
                f"{text_bytes:,} bytes, which has about {self.estimate(messages)}. Either it has "
                "not read all of it, and its window is smaller than llama-mcp takes it to be, "
                "which only the operator can set; or it leaves out what it had cached."
            )
        self._remember(messages, prompt_tokens)
        return None

    def learn_refused(self, messages: Sequence[Mapping[str, Any]], prompt_tokens: int) -> None:
        """Take how many tokens an engine has counted of a prompt that it refused as too long."""
        if prompt_tokens > 0 and not any(_pictures(message) for message in messages):
            self._remember(messages, prompt_tokens)

    def _remember(self, messages: Sequence[Mapping[str, Any]], tokens: int) -> None:
        text_bytes = _bytes_of(messages)
        if text_bytes >= _LEAST_JUDGED_BYTES // 8:
            self._factors.append(tokens / max(rough_tokens(messages), 1.0))
            self._densities.append(text_bytes / tokens)
        *_, (whole, _) = _digests(messages)
        self._known[whole] = tokens
        self._known.move_to_end(whole)
        if len(self._known) > KNOWN_PROMPTS:
            self._known.popitem(last=False)

    def _factor(self) -> float:
        highest = max(self._factors, default=1.0)
        return min(max(highest, _LEAST_FACTOR), _MOST_FACTOR)

    def _known_part(self, messages: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
        """Return the tokens of the longest beginning that was read, and of how many messages."""
        best = (0, 0)
        for digest, count in _digests(messages):
            if (tokens := self._known.get(digest)) is not None:
                best = (tokens, count)
        return best

    def _is_too_few(self, messages: Sequence[Mapping[str, Any]], tokens: int) -> bool:
        known, read = self._known_part(messages)
        grown = _bytes_of(messages[read:]) * _LEAST_GROWTH
        if read and tokens + _SLACK_TOKENS < known * 0.95 + grown:
            return True
        text_bytes = _bytes_of(messages)
        usual = max(self._densities, default=0.0)
        most = min(_MOST_DENSITY, usual * _UNUSUAL) if usual else _MOST_DENSITY
        return text_bytes >= _LEAST_JUDGED_BYTES and text_bytes / tokens > max(most, 6.0)


def rough_tokens(messages: Sequence[Mapping[str, Any]]) -> float:
    """Return how many tokens messages have by their bytes alone."""
    pictures = sum(map(_pictures, messages))
    texts = [text for message in messages for text in _texts(message)]
    return (
        sum(map(rough_tokens_of, texts))
        + len(messages) * _TOKENS_PER_MESSAGE
        + pictures * PICTURE_TOKENS
    )


def rough_tokens_of(text: str) -> float:
    """Return the same of one text."""
    whole = len(text.encode("utf-8", "replace"))
    plain = len(text.encode("ascii", "ignore"))
    return plain / _ASCII_BYTES_PER_TOKEN + (whole - plain) / _OTHER_BYTES_PER_TOKEN


def _digests(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, int]]:
    """Give a digest of each beginning of the messages, with how many these are."""
    digest = 0
    yield digest, 0
    for count, message in enumerate(messages, start=1):
        # Python keeps the hash of a text that it has hashed before.
        digest = hash((digest, message.get("role"), tuple(_texts(message)), _pictures(message)))
        yield digest, count


def _texts(message: Mapping[str, Any]) -> list[str]:
    content = message.get("content")
    if isinstance(content, list):
        return [str(part["text"]) for part in content if part.get("type") == "text"]
    return [content] if isinstance(content, str) else []


def _pictures(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return sum(part.get("type") == "image_url" for part in parts)


def _bytes_of(messages: Sequence[Mapping[str, Any]]) -> int:
    return sum(len(text.encode("utf-8", "replace")) for m in messages for text in _texts(m))
