"""Models that other programs have fetched are started by the names that they have there."""

import shutil
from pathlib import Path

import pytest

from llama_mcp.models.gguf.known_facts import KnownFacts
from llama_mcp.models.library import Library
from llama_mcp.settings import LlamaServerSettings
from tests.support.client_process import LlamaMCP
from tests.support.model_trees import put_into_hub_cache, put_into_ollama
from tests.support.tiny_model import write_tiny_model

pytestmark = pytest.mark.posix


async def test_a_model_of_ollama_and_one_of_the_hubs_cache_answer_by_their_names(
    llama_mcp: LlamaMCP, tiny_model: Path, tmp_path: Path
) -> None:
    home = Path.home()
    put_into_ollama(
        home / ".ollama/models", "registry.ollama.ai/library/tiny", "1b", model=tiny_model
    )
    file = shutil.copy(tiny_model, tmp_path / "Tiny-F32.gguf")
    link = put_into_hub_cache(Path(file), home / ".cache/huggingface/hub", "user/Tiny-GGUF")
    async with llama_mcp.having(MODEL_PATH="").connect() as connection:
        for name in ("tiny:1b", "user/Tiny-GGUF:F32"):
            started = await connection.call("start_llama_server", model_path=name, replace=True)
            # A blob is called as Ollama calls its model.
            assert started["model"] == ("tiny:1b" if ":1b" in name else "Tiny-F32")
            reply = await connection.call("chat", message="Hello", max_tokens=4)
            assert reply["reply"]
        assert (await connection.call("get_config"))["model_path"] == str(link)


async def test_a_model_with_its_projector_inside_is_what_llama_server_refuses(
    llama_mcp: LlamaMCP, engine: str, tmp_path: Path
) -> None:
    both = write_tiny_model(tmp_path / "both", more_tensors=("v.blk.0.attn_q.weight",))
    put_into_ollama(Path.home() / ".ollama/models", "registry.ollama.ai/library/seeing", model=both)
    rows = Library(LlamaServerSettings(), KnownFacts(None)).models()
    (problem,) = (row.problem for row in rows if row.name == "seeing:latest")
    assert problem and "holds its projector too" in problem
    async with llama_mcp.having(LLAMA_CPP_PATH=engine).connect() as connection:
        refusal = await connection.refusal("start_llama_server", model_path="seeing")
        assert "the model's tensors are not the ones" in refusal
