"""A model gets before a query and a text what its author trained it with, and others nothing."""

import pytest

from llama_mcp.models.facts import Kind, ModelFacts
from llama_mcp.models.search_prefixes import SearchPrefixes, search_prefixes_of


def prefixes_of(name: str, kind: Kind = "embedding") -> SearchPrefixes:
    return search_prefixes_of(ModelFacts("model", kind, "bert", name=name))


@pytest.mark.parametrize(
    ("name", "query", "text"),
    [
        ("E5 Small V2", "query: ", "passage: "),
        ("multilingual-e5-large", "query: ", "passage: "),
        ("Multilingual E5 Large Instruct", "Instruct: ", ""),
        ("e5-mistral-7b-instruct", "Instruct: ", ""),
        ("nomic-embed-text-v1.5", "search_query: ", "search_document: "),
        ("Nomic Embed Text V2 Moe", "search_query: ", "search_document: "),
        ("embeddinggemma-300M", "task: search result | query: ", "title: none | text: "),
        ("Qwen3 Embedding 0.6B", "Instruct: ", ""),
        ("snowflake-arctic-embed-m", "Represent this sentence for", ""),
        ("Snowflake Arctic Embed L v2.0", "query: ", ""),
        ("mxbai-embed-large-v1", "Represent this sentence for", ""),
    ],
)
def test_a_known_model_gets_what_its_card_says(name: str, query: str, text: str) -> None:
    found = prefixes_of(name)
    assert found.query.startswith(query) and found.text == text
    assert bool(query) == bool(found.query)


@pytest.mark.parametrize(
    "name", ["all-MiniLM-L6-v2", "bge-m3", "gte-base", "Some Te5t", "code5x", "jina-embeddings-v3"]
)
def test_a_model_that_nothing_is_sure_of_gets_nothing(name: str) -> None:
    assert prefixes_of(name) == SearchPrefixes()


def test_a_model_that_makes_no_vectors_gets_nothing() -> None:
    assert prefixes_of("e5-reranker", "rerank") == prefixes_of("e5", "chat") == SearchPrefixes()
