"""Vectors and scores of texts, as llama-server's OpenAI-like endpoints give them."""

import math
import sys
from array import array
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Any

from llama_mcp.llama_server.api.fields import count_or_none, member
from llama_mcp.llama_server.api.posting import Posts
from llama_mcp.llama_server.errors import CompletionError
from llama_mcp.llama_server.rank_server import Scores, Vector

# Whoever waits has a limit of its own; a large model on a slow machine reads for minutes.
_TIMEOUT_SECONDS = 3600.0
_OLD_BUILD = "Use a newer llama.cpp."


async def fetch_vectors(client: Posts, texts: Sequence[str]) -> list[Vector]:
    """Return the vector of each text, all of one length.

    Raises:
        CompletionError: llama-server refuses a text, or its answer is none.
        LlamaServerLostError: it does not answer.
    """
    body = {"input": list(texts), "encoding_format": "base64"}
    answer = await _ask(client, "/v1/embeddings", body)
    found: dict[int, Vector] = {}
    for item in _list(answer, "data"):
        index, vector = count_or_none(member(item, "index")), _vector(member(item, "embedding"))
        if index is not None and vector:
            found[index] = vector
    lengths = {len(vector) for vector in found.values()}
    if found.keys() != set(range(len(texts))) or len(lengths) != 1:
        raise CompletionError("its vectors are not one for each text", _OLD_BUILD)
    return [found[index] for index in range(len(texts))]


async def fetch_scores(client: Posts, query: str, texts: Sequence[str]) -> Scores:
    """Return how well each text answers the query; raises what fetch_vectors does."""
    body = {"query": query, "documents": list(texts)}
    answer = await _ask(client, "/v1/rerank", body)
    scores: list[float | None] = [None] * len(texts)
    for item in _list(answer, "results"):
        index, score = count_or_none(member(item, "index")), member(item, "relevance_score")
        if index is not None and index < len(texts) and _is_number(score):
            scores[index] = float(score)
    tokens = count_or_none(member(member(answer, "usage"), "prompt_tokens")) or 0
    return Scores(scores, tokens)


async def _ask(client: Posts, path: str, body: dict[str, Any]) -> Any:
    answer = await client.post(path, body, _TIMEOUT_SECONDS)
    if answer is None:
        raise CompletionError(f"it has no {path}, or was started without it", _OLD_BUILD)
    return answer


def _list(answer: Any, name: str) -> list[Any]:
    items = member(answer, name)
    return items if isinstance(items, list) else []


def _vector(value: Any) -> Vector | None:
    """Return a vector from base64, or from numbers as older builds write it."""
    if isinstance(value, list):
        # JSON has no word for what is not a number.
        return array("f", [item if _is_number(item) else math.nan for item in value])
    if not isinstance(value, str):
        return None
    try:
        vector = array("f", b64decode(value, validate=True))
    except (Base64Error, ValueError):
        return None
    if sys.byteorder == "big":
        vector.byteswap()
    return vector


def _is_number(value: Any) -> bool:
    """Tell whether it is a number that 32 bits hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(array("f", [value])[0])
    except OverflowError:  # an integer longer than any float
        return False
