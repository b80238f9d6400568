"""The list of models: its order, and what a query finds."""

from pathlib import Path
from typing import Any

from llama_mcp.models.facts import Kind, ModelFacts
from llama_mcp.models.fitting import Fit
from llama_mcp.models.model import Model
from llama_mcp.observing.model_list import (
    ModelRow,
    best_first,
    matching,
    row_of,
    told_list,
    why_none,
)
from llama_mcp.settings import Settings

GIB = 2**30


def row(name: str, kind: Kind | None = "chat", **facts: Any) -> ModelRow:
    values = {"model": name, "kind": kind, "size_bytes": GIB, "source": "model_dirs", "fits": "cpu"}
    return ModelRow(**values | facts)


def names(rows: list[ModelRow]) -> list[str]:
    return [each.model for each in rows]


def found(rows: list[ModelRow], query: str) -> list[str]:
    return names(matching(rows, query)[0])


def test_what_runs_comes_first_then_what_fits_best_then_what_chats_and_the_largest() -> None:
    rows = [
        row("broken", problem="it is damaged"),
        row("too-large", fits="no", size_bytes=90 * GIB),
        row("ranks", "rerank"),
        row("small"),
        row("unknown", None, fits=None),
        row("large", size_bytes=4 * GIB),
        row("base", "base"),
        row("on-gpu", fits="gpu"),
        row("runs", "embedding", fits="no", running=True),
    ]
    order = ["runs", "on-gpu", "large", "small", "base", "ranks", "unknown", "too-large", "broken"]
    assert names(best_first(rows)) == order


def test_a_query_finds_models_by_words_of_name_kind_quant_and_place() -> None:
    rows = [
        row("Qwen3-8B-Q4_K_M", quant="Q4_K_M"),
        row("unsloth/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0", quant="Q8_0", source="huggingface"),
        row("bge-m3", "embedding"),
        row("bge-reranker", "rerank"),
        row("gemma-3-4b", vision=True),
    ]
    assert found(rows, "qwen 8b") == ["Qwen3-8B-Q4_K_M"]
    assert found(rows, "Q4_K_M") == ["Qwen3-8B-Q4_K_M"]
    assert matching(rows, "Qwen3-8B-Q4_K_M.gguf") == ([rows[0]], True)
    assert found(rows, "unsloth/Qwen3-0.6B-GGUF:Q8_0") == [rows[1].model]
    assert found(rows, "embeddings") == ["bge-m3"]
    assert found(rows, "reranker") == ["bge-reranker"]
    assert found(rows, "vision") == ["gemma-3-4b"]
    assert found(rows, "huggingface") == [rows[1].model]
    assert found(rows, "nonsense") == []
    assert found(rows, " ") == names(rows)


def test_whole_words_come_before_parts_and_what_runs_before_both() -> None:
    rows = [row("mycoder-18b"), row("coder-8b"), row("coders-8bit", running=True)]
    assert found(rows, "coder") == ["coders-8bit", "coder-8b", "mycoder-18b"]
    assert found(rows, "8b") == ["coders-8bit", "coder-8b"]


def test_models_that_have_most_of_the_words_are_found_where_none_has_all() -> None:
    rows = [row("qwen-4b"), row("gemma-4b"), row("llama-1b")]
    rows_found, has_all_words = matching(rows, "qwen 4b q8")
    assert names(rows_found) == ["qwen-4b"] and not has_all_words
    note = told_list(rows_found, None, 20, has_all_words=has_all_words).note
    assert note is not None and "None has all words" in note


def test_an_accent_is_found_however_it_is_spelled() -> None:
    assert found([row("cafe\u0301")], "CAF\u00c9") == ["cafe\u0301"]


def test_a_row_leaves_out_what_is_not_known_or_not_the_case() -> None:
    unread = Model("m", Path("/m.gguf"), 5, "ollama", problem="its header ends early")
    told = row_of(unread, None, has_vision=False, is_running=False).model_dump(exclude_none=True)
    assert told == {
        "model": "m",
        "size_bytes": 5,
        "source": "ollama",
        "problem": "its header ends early",
    }
    facts = ModelFacts("model", "chat", "llama", quant="Q8_0", parameters=7, context_length=4096)
    fit = Fit(fits="cpu", needs_bytes=6, max_ctx_size=2048)
    known = Model("m", Path("/m.gguf"), 5, "ollama", facts)
    told = row_of(known, fit, has_vision=True, is_running=True).model_dump(exclude_none=True)
    assert told == {
        "model": "m",
        "kind": "chat",
        "size_bytes": 5,
        "quant": "Q8_0",
        "parameters": 7,
        "context_length": 4096,
        "vision": True,
        "fits": "cpu",
        "needs_bytes": 6,
        "max_ctx_size": 2048,
        "source": "ollama",
        "running": True,
    }


def test_a_list_says_how_many_are_left_out_and_how_to_get_them() -> None:
    listed = told_list([row("a"), row("b"), row("c")], GIB, 2, has_all_words=True)
    assert [each.model for each in listed.models] == ["a", "b"] and listed.total == 3
    assert listed.note == "1 more: pass limit=3, or a query."
    assert told_list([row("a")], GIB, 1, has_all_words=True).note is None


def test_an_empty_list_says_what_was_looked_for_and_where() -> None:
    settings = Settings(model_dirs=(Path("/models"),), model_places=("ollama",))
    text = why_none("", 0, settings)
    assert str(Path("/models")) in text and "ollama" in text and "LLAMA_MCP_MODEL_PLACES" in text
    allowed = settings.model_copy(update={"allowed_paths": (Path("/allowed"),)})
    assert str(Path("/allowed")) in why_none("", 0, allowed)
    bare = why_none("", 0, Settings(model_places=()))
    assert "LLAMA_MCP_MODEL_DIRS: none" in bare and "  " not in bare
    assert "7 models" in why_none("qwen", 7, settings)
