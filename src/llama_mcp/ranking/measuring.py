"""How well texts answer a query: by vectors of an embedding model, or by a rerank model."""

from array import array
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from llama_mcp.llama_server.rank_server import RankServer, Vector
from llama_mcp.ranking.cosine import cosine, unit
from llama_mcp.ranking.errors import NoScoresError
from llama_mcp.ranking.inputs import Inputs
from llama_mcp.ranking.vector_cache import KnownVectors, key_of

# Of one request: what is lost when the time is over in the middle of it, or llama-server dies.
BATCH_CHARACTERS = 16_000
# A large model on a slow machine reads so much in the time that others need for all of it: no call
# would come further than the one before if it were asked for more.
FIRST_CHARACTERS = 2_000
# The next request is larger after one that took less, and smaller after one that took more.
_QUICK_SECONDS, _SLOW_SECONDS = 1.0, 4.0
# What models add to a query and a text.
_TOKENS_OF_A_PAIR = 4
# So many new vectors are written together.
SAVE_AT = 256

# Return what is kept of each text, None where the model gave nothing usable.
_Make = Callable[[Sequence[str]], Awaitable[list[Vector | None]]]


@dataclass(slots=True)
class Pace:
    """How much is asked for at once, by how long the last requests took."""

    characters: int = FIRST_CHARACTERS

    def note(self, seconds: float) -> None:
        """Take how long a request took."""
        if seconds < _QUICK_SECONDS:
            self.characters = min(2 * self.characters, BATCH_CHARACTERS)
        elif seconds > _SLOW_SECONDS:
            self.characters = max(self.characters // 2, 1)  # a text at least, however long


@dataclass(frozen=True, slots=True)
class Measure:
    """Scores of inputs; what is known of them is not asked for."""

    inputs: Inputs
    is_query_cut: bool
    _length: int
    """Of what is kept of a text; what has another is of another build, and of no use."""
    _salt: tuple[str, ...]
    _make: _Make
    _score: Callable[[Vector], float]
    _pace: Pace = field(default_factory=Pace)

    async def scores(self, inputs: Sequence[str]) -> list[float | None]:
        """Return the score of each input; None where the model gave nothing usable."""
        keys = [key_of(*self._salt, text) for text in inputs]
        known = self.inputs.known
        kept = await anyio.to_thread.run_sync(known.get, keys)
        found = {key: item for key, item in kept.items() if len(item) == self._length}
        pairs = zip(keys, inputs, strict=True)
        missing = {key: text for key, text in pairs if key not in found}
        for batch in _batches(missing, self._pace):
            began = anyio.current_time()
            made = await self._make([missing[key] for key in batch])
            self._pace.note(anyio.current_time() - began)
            answers = zip(batch, made, strict=True)
            new = {key: item for key, item in answers if item and len(item) == self._length}
            found |= new
            if known.add(new.items()) >= SAVE_AT:
                await anyio.to_thread.run_sync(known.save)
        return await anyio.to_thread.run_sync(self._scored, keys, found)

    def _scored(self, keys: Sequence[bytes], found: dict[bytes, Vector]) -> list[float | None]:
        return [self._score(found[key]) if key in found else None for key in keys]


async def measure_by(server: RankServer, known: KnownVectors, query: str) -> Measure:
    """Return what scores texts by a query.

    Raises:
        NoScoresError: the model gives nothing usable for the query.
        LlamaMCPError: llama-server does not answer.
    """
    by = _by_scores if server.kind == "rerank" else _by_vectors
    return await by(server, known, query)


async def _by_vectors(server: RankServer, known: KnownVectors, query: str) -> Measure:
    asked = Inputs(server, known, server.query_prefix, server.input_limit)
    text, is_cut = await asked.fit(query)
    (vector,) = await server.vectors_of([text])
    wanted = unit(vector)
    if wanted is None:
        raise NoScoresError(server.model, "the query")

    async def make(texts: Sequence[str]) -> list[Vector | None]:
        return [unit(vector) for vector in await server.vectors_of(texts)]

    def score(vector: Vector) -> float:
        return cosine(wanted, vector)

    inputs = Inputs(server, known, server.text_prefix, server.input_limit)
    return Measure(inputs, is_cut, len(wanted), ("vector",), make, score)


async def _by_scores(server: RankServer, known: KnownVectors, query: str) -> Measure:
    # The query is read with every text: it leaves them half of what can be read at least.
    asked = Inputs(server, known, "", server.input_limit // 2)
    text, is_cut = await asked.fit(query)
    # What a text is read with: the query, and what the model or its template adds.
    alone = (await server.scores_of(text, [""])).tokens
    alone = alone or await asked.count(text) + _TOKENS_OF_A_PAIR  # a build that does not say

    async def make(texts: Sequence[str]) -> list[Vector | None]:
        scores = (await server.scores_of(text, texts)).scores
        return [None if score is None else array("f", [score]) for score in scores]

    inputs = Inputs(server, known, "", max(1, server.input_limit - alone))
    return Measure(inputs, is_cut, 1, ("score", text), make, lambda kept: kept[0])


def _batches(texts: dict[bytes, str], pace: Pace) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    characters = 0
    for key, text in texts.items():
        if batch and characters + len(text) > pace.characters:
            yield batch
            batch, characters = [], 0
        batch.append(key)
        characters += len(text)
    if batch:
        yield batch
