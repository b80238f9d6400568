"""A real llama-server, and a real router, that somebody else runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from llama_mcp.llama_server.remote.engine import RemoteEngine
from llama_mcp.llama_server.remote.errors import RemoteRefusedError, RemoteRequestError
from llama_mcp.llama_server.remote.target import RemoteTarget
from llama_mcp.turns.chat_request import GO_ON
from tests.conftest import REAL_LLAMA_CPPS
from tests.llama_server.remote.conftest import MESSAGES, chunks_of, text_of
from tests.support.processes import PATIENCE_SECONDS
from tests.support.somebodys_engine import program_of, somebodys_engine
from tests.support.tiny_bert import write_tiny_bert
from tests.support.tiny_model import write_tiny_model

FEW = {"max_tokens": 8, "temperature": 0}


@asynccontextmanager
async def engine_at(url: str, **target: Any) -> AsyncIterator[RemoteEngine]:
    engine = RemoteEngine(RemoteTarget(url=url, **target), salt="test")
    try:
        yield engine
    finally:
        await engine.aclose()


async def test_a_llama_server_tells_all_and_serves_as_ours_does(
    engine: str, tiny_model: Path, tmp_path: Path
) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("sk-of-somebody")
    arguments = ["-m", str(tiny_model), "-c", "2048", "-np", "2", "-t", "1", "--metrics"]
    arguments += ["--api-key", "sk-of-somebody"]
    async with (
        somebodys_engine(program_of(engine), *arguments, log=tmp_path / "log") as url,
        engine_at(f"{url}/v1", key_file=key_file) as remote,
    ):
        look = await remote.look()
        assert (look.kind, look.is_reachable, look.problem) == ("llama-server", True, None)
        assert (look.ctx_size, look.ctx_size_source) == (1024, "told")
        assert (look.total_slots, look.total_slots_source) == (2, "told")
        assert look.model_ctx_size == 32768 and look.guesses is None
        server = await remote.ready_server()
        assert server.model == tiny_model.stem and server.load is None
        tokens = await server.count_tokens(MESSAGES)
        chunks = await chunks_of(server, return_progress=True, **FEW)
        usage = [chunk["usage"] for chunk in chunks if chunk.get("usage")][-1]
        assert usage["prompt_tokens"] == tokens
        assert chunks[-1]["timings"]["prompt_ms"] > 0
        assert any("prompt_progress" in chunk for chunk in chunks)
        slots = await remote.slots()
        assert isinstance(slots, list) and len(slots) == 2
        assert "llamacpp:" in (await remote.metrics_text() or "")
        # By this a turn knows that a reply can be gone on with.
        both = {"messages": MESSAGES, **GO_ON, "add_generation_prompt": True}
        assert "continue_final_message" in (await server.why_refused(both, 30) or "")
        rendered = await server.rendered_prompt({"messages": MESSAGES})
        assert rendered is not None and "Hello there" in rendered


async def test_a_wrong_key_and_none_are_named_and_the_key_told_nowhere(
    tiny_model: Path, tmp_path: Path
) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("sk-wrong")
    arguments = ["-m", str(tiny_model), "-c", "512", "-t", "1", "--api-key", "sk-right"]
    async with somebodys_engine(program_of("embedded"), *arguments, log=tmp_path / "log") as url:
        async with engine_at(url, key_file=key_file) as remote:
            with pytest.raises(RemoteRefusedError, match=str(key_file)) as refusal:
                await remote.ready_server()
            assert "sk-wrong" not in str(refusal.value)
            assert (await remote.look()).problem is not None
            key_file.write_text("sk-right")
            assert text_of(await chunks_of(await remote.ready_server(), **FEW))
        async with engine_at(url) as remote:
            with pytest.raises(RemoteRefusedError, match="no key file is set"):
                await remote.ready_server()


@pytest.mark.parametrize(("kind", "flag"), [("embedding", "--embedding"), ("rerank", "--rerank")])
async def test_what_a_model_makes_is_found_out_and_used(
    tmp_path: Path, kind: str, flag: str
) -> None:
    bert = write_tiny_bert(tmp_path / "bert.gguf", ranks=kind == "rerank")
    program = program_of("embedded")
    async with (
        somebodys_engine(program, "-m", str(bert), flag, "-t", "1", log=tmp_path / "log") as url,
        engine_at(url) as remote,
    ):
        server = await remote.rank_server()
        assert server.kind == kind
        if kind == "embedding":
            first, second = await server.vectors_of(["one text", "another"])
            assert len(first) == len(second) > 0
        else:
            assert len((await server.scores_of("a text", ["one", "another"])).scores) == 2
        assert await server.count_tokens("one text") > 0


async def test_leaving_a_reply_frees_its_slot(tiny_model: Path, tmp_path: Path) -> None:
    arguments = ["-m", str(tiny_model), "-np", "1", "-t", "1"]
    async with (
        somebodys_engine(program_of("embedded"), *arguments, log=tmp_path / "log") as url,
        engine_at(url) as remote,
    ):
        server = await remote.ready_server()
        body = {"messages": MESSAGES, "ignore_eos": True}
        async with server.stream_chat(body) as chunks:
            async for chunk in chunks:
                if text_of([chunk]):
                    break
        with anyio.fail_after(PATIENCE_SECONDS):
            while "'is_processing': True" in str(await remote.slots()):
                await anyio.sleep(0.02)
            # With one slot, it is answered only once that is free.
            assert text_of(await chunks_of(server, **FEW))


@pytest.mark.slow
@pytest.mark.parametrize("engine", REAL_LLAMA_CPPS)
async def test_a_router_serves_each_of_its_models_by_name(engine: str, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    write_tiny_model(models / "first.gguf", context_length=4096)
    write_tiny_model(models / "second.gguf", context_length=8192)
    arguments = ["--models-dir", str(models), "-t", "1", "-np", "1"]
    async with somebodys_engine(program_of(engine), *arguments, log=tmp_path / "log") as url:
        for name, window in (("first", 4096), ("second", 8192)):
            async with engine_at(url, model=name) as remote:
                look = await remote.look()
                assert (look.kind, look.is_loading) == ("router", True)
                assert set(look.models) == {"first", "second"}
                waiting = await remote.ready_server()
                assert waiting.load is not None
                server = await waiting.when_ready(lambda _load: None)
                assert server.load is None and server.slot_ctx_size == window
                tokens = await server.count_tokens(MESSAGES)
                chunks = await chunks_of(server, **FEW)
                usage = [chunk["usage"] for chunk in chunks if chunk.get("usage")][-1]
                assert usage["prompt_tokens"] == tokens
                slots = await remote.slots()
                assert isinstance(slots, list) and len(slots) == 1
        async with engine_at(url, model="third") as remote:
            with pytest.raises(RemoteRefusedError, match="has no model third; it has first, sec"):
                await remote.ready_server()


@pytest.mark.slow
@pytest.mark.parametrize("engine", REAL_LLAMA_CPPS)
async def test_a_model_that_the_router_cannot_load_is_told(engine: str, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "broken.gguf").write_bytes(b"GGUF and nothing else")
    arguments = ["--models-dir", str(models), "-t", "1"]
    async with (
        somebodys_engine(program_of(engine), *arguments, log=tmp_path / "log") as url,
        engine_at(url, model="broken") as remote,
    ):
        waiting = await remote.ready_server()
        with pytest.raises(RemoteRequestError, match="failed to load"):
            await waiting.when_ready(lambda _load: None)
