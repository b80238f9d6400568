"""Texts as a model reads them: with what it expects before them, and cut to what it can read."""

from array import array
from dataclasses import dataclass

from llama_mcp.llama_server.rank_server import RankServer
from llama_mcp.ranking.vector_cache import KnownVectors, key_of

# At the most: a token is at least one byte, but of the form that a model gives a text first (NFKC,
# accents apart), and that may be longer than the text.
_TOKENS_PER_BYTE = 2
# More are in a token only where a text repeats itself.
_MOST_CHARACTERS_PER_TOKEN = 32
# What is cut fills so much of its room: a closer look costs more counts than it is worth.
_AIM = 0.98


@dataclass(frozen=True, slots=True)
class Inputs:
    """Makes inputs of texts. What was counted once is kept."""

    server: RankServer
    known: KnownVectors
    prefix: str
    most_tokens: int
    """Of an input, those included that the model adds itself."""

    async def fit(self, text: str) -> tuple[str, bool]:
        """Return the input that a text becomes, and whether the text had to be cut for it."""
        whole = self.prefix + text
        if len(whole.encode("utf-8", "replace")) * _TOKENS_PER_BYTE <= self.most_tokens:
            return whole, False
        # A book is not counted whole for its first page.
        length = min(len(text), _MOST_CHARACTERS_PER_TOKEN * self.most_tokens)
        tokens = await self.count(text[:length])
        if tokens <= self.most_tokens and length < len(text):
            length, tokens = len(text), await self.count(text)
        while tokens > self.most_tokens and length:
            share = _AIM * self.most_tokens / tokens
            length = min(int(length * share), length - 1)
            tokens = await self.count(text[:length])
        return self.prefix + text[:length], length < len(text)

    async def count(self, text: str) -> int:
        """Return the tokens of the input that a text becomes."""
        key = key_of("tokens", self.prefix, text)
        if (found := self.known.number(key)) is not None:
            return int(found)
        tokens = await self.server.count_tokens(self.prefix + text)
        self.known.add([(key, array("f", [tokens]))])
        return tokens
