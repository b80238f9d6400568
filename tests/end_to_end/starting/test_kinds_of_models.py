"""A start knows its model: what it can do, the flags that it needs, and what it is not for."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.fake_llama_server.install import install_fake, recorded_launches
from tests.support.client_process import LlamaMCP, text_of
from tests.support.tiny_bert import write_tiny_bert
from tests.support.tiny_model import write_tiny_model
from tests.support.tiny_projector import write_tiny_projector

# More than the 512 tokens that llama-server takes by itself: each letter is one.
LONG = "a b " * 500


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


async def ask(url: str, path: str, body: dict[str, Any] | None = None) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, timeout=600) as client:
        if body is None:
            return await client.get(f"{url}{path}")
        return await client.post(f"{url}{path}", json=body)


async def test_an_embedding_model_answers_for_long_texts_and_takes_no_chat(
    llama_mcp: LlamaMCP, models: Path, engine: str
) -> None:
    made = str(write_tiny_bert(models / "embeds.gguf"))
    write_tiny_model(models / "talks.gguf")
    # Where several may run, a chat starts one that chats beside it.
    one = llama_mcp.having(LLAMA_CPP_PATH=engine, MODEL_DIRS=str(models), MAX_MODELS="1")
    async with one.connect() as connection:
        started = await connection.call("start_llama_server", model_path=made, ctx_size=2048)
        assert started["about_model"] == {"kind": "embedding", "context_length": 2048}
        assert any("cannot chat" in note for note in started["notes"])
        answer = await ask(started["url"], "/v1/embeddings", {"input": LONG})
        assert answer.status_code == 200, answer.text
        assert answer.json()["usage"]["prompt_tokens"] > 512
        # Nothing is lost: there is no session, and it runs on.
        refused = await connection.refusal("chat", message="Hello")
        assert "embeds is an embedding model" in refused and "talks" in refused
        assert "start_llama_server" in refused and "replace=true" in refused
        assert not (await connection.call("list_sessions")).get("sessions")
        status = await connection.call("status")
        assert status["pid"] == started["pid"] and status["about_model"] == started["about_model"]
        # As the refusal proposes.
        await connection.call("start_llama_server", model_path="talks", replace=True)
        assert (await connection.call("chat", message="Hello", max_tokens=2))["reply"]


async def test_a_reranker_ranks_long_texts_and_takes_no_chat(
    llama_mcp: LlamaMCP, models: Path, engine: str
) -> None:
    made = str(write_tiny_bert(models / "ranks.gguf", ranks=True))
    having = llama_mcp.having(LLAMA_CPP_PATH=engine, MODEL_PATH=made, CTX_SIZE="2048")
    async with having.connect() as connection:
        started = await connection.call("start_llama_server")
        assert started["about_model"]["kind"] == "rerank"
        body = {"query": "a", "documents": [LONG, "b"]}
        answer = await ask(started["url"], "/v1/rerank", body)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["results"]) == 2
        assert "a rerank model" in await connection.refusal("chat", message="Hello")


async def test_a_chat_starts_no_embedding_model_and_nothing_is_archived(
    llama_mcp: LlamaMCP, models: Path
) -> None:
    made = str(write_tiny_bert(models / "embeds.gguf"))
    async with llama_mcp.having(MODEL_PATH=made).connect() as connection:
        config = await connection.call("get_config")
        assert config["about_model"]["kind"] == "embedding"
        refused = await connection.refusal("chat", message="Hello")
        assert "LLAMA_MCP_MODEL_PATH" in refused and "embedding model" in refused
        assert "replace" not in refused
        assert (await connection.call("status"))["state"] == "stopped"
        assert not (await connection.call("list_sessions")).get("sessions")


async def test_a_session_goes_on_when_a_model_that_chats_runs_again(
    llama_mcp: LlamaMCP, models: Path, tiny_model: Path
) -> None:
    embeds = str(write_tiny_bert(models / "embeds.gguf"))
    async with llama_mcp.having(MAX_MODELS="1").connect() as connection:
        first = await connection.call("chat", message="One", max_tokens=2)
        session = {"session_id": first["session_id"], "max_tokens": 2}
        await connection.call("start_llama_server", model_path=embeds, replace=True)
        assert "cannot chat" in await connection.refusal("chat", message="Two", **session)
        page = await connection.call("read_session", session_id=first["session_id"])
        assert page["total"] == 1
        await connection.call("start_llama_server", model_path=str(tiny_model), replace=True)
        assert (await connection.call("chat", message="Two", **session))["turn"] == 2


async def test_a_model_sees_with_the_projector_that_lies_beside_it(
    llama_mcp: LlamaMCP, models: Path, engine: str
) -> None:
    made = str(write_tiny_model(models / "tiny-vl.gguf"))
    write_tiny_projector(models / "mmproj-tiny-vl-f32.gguf")
    having = llama_mcp.having(LLAMA_CPP_PATH=engine, MODEL_PATH=made, EXTRA_ARGS="")
    async with having.connect() as connection:
        assert (await connection.call("get_config"))["about_model"]["vision"] is True
        started = await connection.call("start_llama_server")
        assert started["about_model"]["vision"] is True
        props = (await ask(started["url"], "/props")).json()
        assert props["modalities"]["vision"] is True
        # What follows from the model is no difference to the same start.
        again = await connection.call("start_llama_server")
        assert again["already_running"] and again["pid"] == started["pid"]
        assert (await connection.call("chat", message="Hello", max_tokens=2))["reply"]
        blind = await connection.call(
            "start_llama_server", extra_args=["--no-mmproj"], replace=True
        )
        assert "vision" not in blind["about_model"]
        props = (await ask(blind["url"], "/props")).json()
        assert props["modalities"]["vision"] is False


async def test_a_projector_that_the_caller_chooses_is_the_one_that_is_used(
    llama_mcp: LlamaMCP, models: Path, tmp_path: Path, fake_folder: Path
) -> None:
    made = str(write_tiny_model(models / "tiny-vl.gguf"))
    write_tiny_projector(models / "mmproj-tiny-vl-f32.gguf")
    other = str(write_tiny_projector(tmp_path / "mmproj-other.gguf"))
    having = llama_mcp.having(MODEL_PATH=made, EXTRA_ARGS="")
    async with having.connect() as connection:
        started = await connection.call("start_llama_server", extra_args=["--mmproj", other])
        assert started["about_model"]["vision"] is True
        props = (await ask(started["url"], "/props")).json()
        assert props["modalities"]["vision"] is True


async def test_a_projector_outside_the_allowed_folders_is_left_out(
    llama_mcp: LlamaMCP, models: Path, tmp_path: Path, fake_folder: Path
) -> None:
    made = str(write_tiny_model(models / "tiny-vl.gguf"))
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    beside = models / "mmproj-tiny-vl-f32.gguf"
    beside.symlink_to(write_tiny_projector(hidden / "mmproj-tiny-vl-f32.gguf"))
    fake = install_fake(fake_folder)
    allowed = f"{models}:{fake_folder}"
    having = llama_mcp.having(
        LLAMA_CPP_PATH=str(fake), MODEL_PATH=made, ALLOWED_PATHS=allowed, EXTRA_ARGS=""
    )
    async with having.connect() as connection:
        started = await connection.call("start_llama_server")
    assert "vision" not in started["about_model"]
    (launch,) = recorded_launches(fake_folder)
    assert "--mmproj" not in str(launch)


async def test_a_base_model_is_started_with_a_note(llama_mcp: LlamaMCP, models: Path) -> None:
    made = str(write_tiny_model(models / "base.gguf", chat_template=None))
    async with llama_mcp.having(MODEL_PATH=made).connect() as connection:
        for tool in ("get_config", "start_llama_server", "get_config"):
            told = await connection.call(tool)
            assert told["about_model"]["kind"] == "base"
            assert any("ChatML" in note for note in told["notes"]), tool
        assert (await connection.call("chat", message="Hello", max_tokens=2))["reply"]


async def test_a_start_tells_what_the_header_says_of_context_and_sampling(
    llama_mcp: LlamaMCP, models: Path, engine: str
) -> None:
    author = {"temp": 0.5, "top_k": 20.0}
    made = write_tiny_model(models / "tiny.gguf", context_length=512, sampling=author)
    having = llama_mcp.having(LLAMA_CPP_PATH=engine, MODEL_PATH=str(made), CTX_SIZE="1024")
    async with having.connect() as connection:
        about = {"kind": "chat", "context_length": 512, "sampling": author}
        config = await connection.result("get_config")
        assert config.structured_content is not None
        assert config.structured_content["about_model"] == about
        assert "ctx_size=1024 is more than the 512 tokens" in text_of(config)
        assert "temp=0.5 top_k=20" in text_of(config)
        started = await connection.result("start_llama_server")
        assert started.structured_content is not None
        assert started.structured_content["about_model"] == about
        assert "512" in " ".join(started.structured_content["notes"])
        assert "temp=0.5 top_k=20" in text_of(started)


@pytest.mark.parametrize("how", ["path", "default"])
async def test_what_is_no_model_is_refused_before_llama_server_is_started(
    llama_mcp: LlamaMCP, models: Path, fake_folder: Path, how: str
) -> None:
    projector = str(write_tiny_projector(models / "vision.gguf"))
    write_tiny_model(models / "tiny.gguf")
    fake = install_fake(fake_folder)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake))
    asked = {"model_path": projector} if how == "path" else {}
    if how == "default":
        having = having.having(MODEL_PATH=projector)
    async with having.connect() as connection:
        refused = await connection.refusal("start_llama_server", **asked)
        assert "projector" in refused and "no model" in refused and "tiny" in refused
        assert ("LLAMA_MCP_MODEL_PATH" in refused) == (how == "default")
        if how == "default":
            assert "projector" in await connection.refusal("chat", message="Hello")
            config = await connection.call("get_config")
            assert any("projector" in note for note in config["notes"])
    assert not recorded_launches(fake_folder)
