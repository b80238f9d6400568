"""What some embedding models expect before a query and before a text that is searched.

Their authors trained them so, and say it in their model cards; without it they rank worse. Only
models are listed whose cards leave no doubt. Others are given the texts as they are.
"""

import re
from dataclasses import dataclass

from llama_mcp.models.facts import ModelFacts


@dataclass(frozen=True, slots=True)
class SearchPrefixes:
    """What stands before them; empty for nothing."""

    query: str = ""
    text: str = ""


_NONE = SearchPrefixes()
_TASK = "Given a web search query, retrieve relevant passages that answer the query"
_INSTRUCT = f"Instruct: {_TASK}\nQuery:"
_REPRESENT = "Represent this sentence for searching relevant passages: "

# By the name in the header, the first that fits. A word of the name begins and ends at no letter.
_KNOWN = tuple(
    (re.compile(rf"(?<![a-z0-9])(?:{name})(?![a-z])", re.IGNORECASE), prefixes)
    for name, prefixes in (
        (r"e5[-_ .](?:.*[-_ .])?instruct", SearchPrefixes(f"{_INSTRUCT} ")),
        (r"e5[-_ .]mistral", SearchPrefixes(f"{_INSTRUCT} ")),
        (r"e5", SearchPrefixes("query: ", "passage: ")),
        (r"nomic[-_ .]embed[-_ .]text", SearchPrefixes("search_query: ", "search_document: ")),
        (
            r"embedding[-_ .]?gemma",
            SearchPrefixes("task: search result | query: ", "title: none | text: "),
        ),
        (r"qwen3[-_ .]embedding", SearchPrefixes(_INSTRUCT)),
        (
            r"snowflake[-_ .]arctic[-_ .]embed[-_ .](?:.*[-_ .])?v2(?:[._]0)?",
            SearchPrefixes("query: "),
        ),
        (r"snowflake[-_ .]arctic[-_ .]embed", SearchPrefixes(_REPRESENT)),
        (r"mxbai[-_ .]embed[-_ .]large", SearchPrefixes(_REPRESENT)),
    )
)


def search_prefixes_of(facts: ModelFacts) -> SearchPrefixes:
    """Return what a model's author says that it expects, going by the name in its header."""
    name = facts.name or ""
    if facts.kind == "embedding":
        for pattern, prefixes in _KNOWN:
            if pattern.search(name):
                return prefixes
    return _NONE
