"""Vectors and scores come as numbers, one for each text, or an error of ours says what is wrong."""

import base64
import math
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.ranking import fetch_scores, fetch_vectors
from llama_mcp.llama_server.errors import CompletionError, LlamaServerLostError
from tests.fake_llama_server.install import install_fake, set_faults
from tests.fake_llama_server.running import ready

EMBEDDINGS, RERANK = "/v1/embeddings", "/v1/rerank"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[LlamaServerClient]:
    with ready(install_fake(tmp_path / "fake")) as server:
        client = LlamaServerClient(f"http://127.0.0.1:{server.port}")
        yield client
        await client.aclose()


def answer(folder: Path, path: str, body: Any, code: int = 200) -> None:
    set_faults(folder / "fake", answers={path: {"code": code, "body": body}})


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


async def test_vectors_are_read_from_base64_and_from_numbers_in_the_order_of_the_texts(
    client: LlamaServerClient, tmp_path: Path
) -> None:
    for first, second in (
        (packed(1, 0.5), packed(2, -1)),
        ([1, 0.5], [2.0, -1]),
    ):
        data = [{"index": 1, "embedding": second}, {"index": 0, "embedding": first}]
        answer(tmp_path, EMBEDDINGS, {"data": data})
        vectors = await fetch_vectors(client, ["a", "b"])
        assert [list(vector) for vector in vectors] == [[1, 0.5], [2, -1]]


@pytest.mark.parametrize("embedding", [packed(math.nan, 1), [None, 1], [{"a": 1}, 1]])
async def test_what_is_no_number_in_a_vector_is_none(
    client: LlamaServerClient, tmp_path: Path, embedding: Any
) -> None:
    answer(tmp_path, EMBEDDINGS, {"data": [{"index": 0, "embedding": embedding}]})
    (vector,) = await fetch_vectors(client, ["a"])
    assert math.isnan(vector[0]) and vector[1] == 1


@pytest.mark.parametrize(
    "body",
    [
        *({}, [], {"data": None}, {"data": [None, 1]}),
        {"data": [{"index": 0, "embedding": [1]}]},
        {"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]},
        {"data": [{"index": 0, "embedding": [1]}, {"index": 2, "embedding": [1]}]},
        {"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]},
        {"data": [{"index": 0, "embedding": "AAA"}, {"index": 1, "embedding": "AAAAAAA="}]},
        {"data": [{"index": 0, "embedding": []}, {"index": 1, "embedding": ""}]},
    ],
)
async def test_what_is_not_one_vector_for_each_text_is_an_error(
    client: LlamaServerClient, tmp_path: Path, body: Any
) -> None:
    answer(tmp_path, EMBEDDINGS, body)
    with pytest.raises(CompletionError, match="not one for each text"):
        await fetch_vectors(client, ["a", "b"])


async def test_scores_are_put_in_the_order_of_the_texts_and_none_is_made_up(
    client: LlamaServerClient, tmp_path: Path
) -> None:
    results = [
        {"index": 2, "relevance_score": 3},
        {"index": 0, "relevance_score": -8.5},
        {"index": 1, "relevance_score": None},
        {"index": 3, "relevance_score": 10**400},
        {"index": 4, "relevance_score": 1e300},
        *({"index": 9, "relevance_score": 1}, {"relevance_score": 1}, None),
    ]
    answer(tmp_path, RERANK, {"results": results, "usage": {"prompt_tokens": 7}})
    found = await fetch_scores(client, "q", ["a", "b", "c", "d", "e"])
    assert list(found.scores) == [-8.5, None, 3.0, None, None] and found.tokens == 7


async def test_a_refusal_is_told_and_an_endpoint_that_there_is_not(
    client: LlamaServerClient, tmp_path: Path
) -> None:
    too_large = {"error": {"message": "input (602 tokens) is too large to process"}}
    answer(tmp_path, EMBEDDINGS, too_large, 500)
    with pytest.raises(CompletionError, match="602 tokens"):
        await fetch_vectors(client, ["a"])
    answer(tmp_path, RERANK, {"error": {"message": "no"}}, 501)
    with pytest.raises(CompletionError, match="it has no /v1/rerank"):
        await fetch_scores(client, "q", ["a"])
    set_faults(tmp_path / "fake", raw_answers={EMBEDDINGS: {"pieces": [], "then": "reset"}})
    with pytest.raises(LlamaServerLostError):
        await fetch_vectors(client, ["a"])
