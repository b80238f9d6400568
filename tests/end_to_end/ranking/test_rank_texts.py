"""A client ranks texts and files by a real model, and is told what to do where it cannot."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from filelock import FileLock

from tests.support.client_process import LlamaMCP, Progress, text_of
from tests.support.minilm import NotThereError, write_minilm
from tests.support.tiny_bert import write_tiny_bert

# The sample of the model's card, with its cosines.
QUERY = "That is a happy person"
SAMPLE = {
    "That is a happy dog": 0.695,
    "That is a very happy person": 0.943,
    "Today is a sunny day": 0.257,
}


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model, fetched once for all workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of all workers
    folder = folder / "minilm"
    with FileLock(f"{folder}.lock"):
        if folder.exists():
            return next(folder.glob("*.gguf"))
        with TemporaryDirectory(dir=folder.parent) as fetched:
            try:
                made = write_minilm(Path(fetched))
            except NotThereError as error:
                pytest.skip(f"no real embedding model to rank with: {error}")
            folder.mkdir()
            return made.replace(folder / made.name)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.mark.slow
async def test_a_real_model_ranks_sentences_as_their_published_cosines_say(
    llama_mcp: LlamaMCP, minilm: Path, engine: str
) -> None:
    having = llama_mcp.having(LLAMA_CPP_PATH=engine, MODEL_PATH=str(minilm), EXTRA_ARGS="")
    async with having.connect() as connection:
        ranking = await connection.call("rank_texts", query=QUERY, texts=list(SAMPLE))
        assert ranking["by"] == f"{minilm.stem} (cosine)" and ranking["ranked"] == 3
        scores = {list(SAMPLE)[row["index"]]: row["score"] for row in ranking["rows"]}
        assert scores == pytest.approx(SAMPLE, abs=0.002)
        assert list(scores) == sorted(SAMPLE, key=SAMPLE.__getitem__, reverse=True)


@pytest.mark.slow
async def test_a_real_model_finds_the_place_in_a_folder_of_files(
    llama_mcp: LlamaMCP, minilm: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    filler = "The train from the harbour was late again and nobody knew why.\n\n" * 60
    (folder / "travel.md").write_text(filler, encoding="utf-8")
    recipe = "To make the bread, knead the dough, let it rise and bake it in a hot oven.\n\n"
    (folder / "mixed.md").write_text(filler + recipe * 8 + filler, encoding="utf-8")
    having = llama_mcp.having(
        MODEL_PATH=str(minilm), FILE_DIRS=str(folder), EXTRA_ARGS="", WAIT_SECONDS="600"
    )
    async with having.connect() as connection:
        ranking = await connection.call(
            "rank_texts", query="How do I bake bread?", files=[str(folder)], top_n=1
        )
        (row,) = ranking["rows"]
        assert row["file"] == "mixed.md"
        first, last = map(int, row["lines"].split("-"))
        text = (folder / "mixed.md").read_text(encoding="utf-8").splitlines()
        assert any("knead the dough" in line for line in text[first - 1 : last])


async def test_a_client_ranks_texts_and_files_with_nothing_started_before(
    llama_mcp: LlamaMCP, models: Path, tmp_path: Path, engine: str
) -> None:
    write_tiny_bert(models / "embeds.gguf", context_length=256)
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("a b c\n" * 200, encoding="utf-8")
    (folder / ".env").write_text("SECRET=1", encoding="utf-8")
    having = llama_mcp.having(
        LLAMA_CPP_PATH=engine,
        MODEL_PATH="",
        MODEL_DIRS=str(models),
        MODEL_PLACES="none",
        FILE_DIRS=str(folder),
        WAIT_SECONDS="600",
    )
    async with having.connect() as connection:
        progress = Progress()
        result = await connection.result(
            "rank_texts", progress, query="a b c", texts=["x", "a b c"], files=["*"], top_n=2
        )
        ranking = result.structured_content or {}
        assert not result.is_error, text_of(result)
        best, second = ranking["rows"]
        assert (best["index"], best["score"], best["begins"]) == (1, 1.0, "a b c")
        assert text_of(result).startswith(f"[{ranking['ranked']} ranked by embeds (cosine)]\n")
        assert "1.0 [1] a b c" in text_of(result)
        assert ranking["notes"][0] == "llama-server was started for this call (embeds)."
        assert progress.rises and progress.values[-1] == ranking["ranked"]
        # Two rows cost two lines, and no vector is in either form.
        assert len(text_of(result)) < 400 and len(str(ranking)) < 500
        assert "a.txt:" in text_of(result) or second["index"] == 0
        again = await connection.call("rank_texts", query="a b c", files=["a.txt"], top_n=1)
        assert "notes" not in again and again["rows"][0]["file"] == "a.txt"
        refused = await connection.refusal("rank_texts", query="a", files=[".env"])
        assert "secret" in refused
        refused = await connection.refusal("rank_texts", query="a", files=[str(tmp_path)])
        assert "LLAMA_MCP_FILE_DIRS" in refused


async def test_what_cannot_be_ranked_is_told_with_a_next_step_and_starts_nothing(
    llama_mcp: LlamaMCP, models: Path, tiny_model: Path
) -> None:
    having = llama_mcp.having(MODEL_DIRS=str(models), MODEL_PLACES="none")
    async with having.connect() as connection:
        refused = await connection.refusal("rank_texts", query="a", texts=["b"])
        assert "no embedding or rerank model" in refused and "call download_model" in refused
        refused = await connection.refusal("rank_texts", query="a")
        assert "no text with a word in it" in refused
        refused = await connection.refusal("rank_texts", query="a", texts=["b"], model="tiny")
        assert "tiny is a chat model" in refused
        assert (await connection.call("status"))["state"] == "stopped"
        write_tiny_bert(models / "embeds.gguf")
        started = await connection.call("start_llama_server")
        refused = await connection.refusal("rank_texts", query="a", texts=["b"])
        assert "tiny is a chat model" in refused and "embeds (" in refused
        assert "call start_llama_server with one of them" in refused and "replace=true" in refused
        assert (await connection.call("status"))["pid"] == started["pid"]


async def test_a_wrong_setting_of_the_cache_is_told_by_the_call_that_needs_it(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.having(VECTOR_CACHE_MB="lots").connect() as connection:
        refused = await connection.refusal("rank_texts", query="a", texts=["b"])
        assert "LLAMA_MCP_VECTOR_CACHE_MB" in refused
        assert (await connection.call("status"))["state"] == "stopped"
