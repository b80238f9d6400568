"""Servers that are no llama-server answer, and what they do not tell is said."""

from pathlib import Path

import pytest

from tests.fake_openai_server.engine import CHAT, FakeEngine
from tests.fake_openai_server.serving import serving
from tests.support.client_process import LlamaMCP, text_of


async def test_one_like_vllm_tells_its_window_and_counts(alone: LlamaMCP) -> None:
    fake = FakeEngine(behaves_as="vllm", window=8192)
    async with serving(fake) as place, alone.having(URL=place.url).connect() as connection:
        reply = await connection.call("chat", message="Say it.")
        assert reply["reply"] == fake.replies
        remote = (await connection.call("status"))["remote"]
        assert (remote["server"], remote["ctx_size"], remote["ctx_size_source"]) == (
            *("openai", 8192),
            "told",
        )
        assert remote["token_counts"] == "exact"
        assert {"slots", "metrics", "log"} <= set(remote["missing"])


async def test_one_like_ollama_is_estimated_and_that_is_said(alone: LlamaMCP) -> None:
    fake = FakeEngine(behaves_as="ollama")
    having = alone.having(CTX_SIZE="2048")
    async with serving(fake) as place, having.having(URL=place.url).connect() as connection:
        await connection.call("chat", message="Say it.")
        status = await connection.result("status")
        assert status.structured_content is not None
        remote = status.structured_content["remote"]
        assert (remote["ctx_size"], remote["ctx_size_source"]) == (2048, "setting")
        assert remote["token_counts"] == "estimate"
        assert "estimated" in text_of(status) and "operator's setting" in text_of(status)
        metrics = await connection.call("server_metrics")
        assert {"slots", "memory_bytes", "generated_tokens_total"} <= set(metrics["missing"])


async def test_every_model_that_it_lists_can_be_named(alone: LlamaMCP) -> None:
    fake = FakeEngine(models=("small", "large-a", "large-b"))
    having = alone.having(URL_MODEL="large-a")
    async with serving(fake) as place, having.having(URL=place.url).connect() as connection:
        rows = (await connection.call("list_models", query="remote"))["models"]
        assert [row["model"] for row in rows] == ["large-a", "small", "large-b"]
        for named in ("", "SMALL", "sma"):
            await connection.call("chat", message="Say it.", model=named)
        assert [one.body["model"] for one in fake.chats()] == ["large-a", "small", "small"]
        told = await connection.refusal("chat", message="Say it.", model="large")
        assert "large-a, large-b" in told
        told = await connection.refusal("chat", message="Say it.", model="nothing-like-it")
        assert "small" in told and len(fake.chats()) == 3


async def test_a_key_comes_from_its_file_and_is_told_to_nobody(
    alone: LlamaMCP, tmp_path: Path
) -> None:
    fake, key = FakeEngine(key="right-key"), tmp_path / "engine.key"
    key.write_text("wrong-key\n")
    key.chmod(0o600)
    having = alone.having(URL_KEY_FILE=str(key))
    async with serving(fake) as place, having.having(URL=place.url).connect() as connection:
        told = await connection.refusal("chat", message="Say it.")
        assert "key" in told and "wrong-key" not in told
        key.write_text("right-key\n")
        reply = await connection.call("chat", message="Say it.")
        assert reply["reply"] == fake.replies
        for tool in ("status", "get_config", "list_models"):
            assert "right-key" not in text_of(await connection.result(tool))


async def test_a_file_of_a_key_that_is_not_there_is_named(alone: LlamaMCP, tmp_path: Path) -> None:
    missing = tmp_path / "keys" / "none.key"
    having = alone.having(URL_KEY_FILE=str(missing))
    async with serving(FakeEngine()) as place, having.having(URL=place.url).connect() as connection:
        assert str(missing) in await connection.refusal("chat", message="Say it.")


@pytest.mark.parametrize("url", ["box:8000", "http://user:pw@box"])
async def test_a_url_that_is_none_lets_nothing_else_answer(alone: LlamaMCP, url: str) -> None:
    async with alone.having(URL=url).connect() as connection:
        told = await connection.refusal("chat", message="Hello.")
        assert "LLAMA_MCP_URL cannot be" in told and "pw" not in told
        config = text_of(await connection.result("get_config"))
        assert "No model answers until it is set right." in config


async def test_a_path_in_front_of_the_api_is_kept(alone: LlamaMCP) -> None:
    fake = FakeEngine(prefix="/upstream/qwen")
    async with serving(fake) as place, alone.having(URL=place.url).connect() as connection:
        await connection.call("chat", message="Say it.")
        assert fake.chats()[0].path == f"/upstream/qwen{CHAT}"


async def test_no_caller_can_say_where_messages_go(alone: LlamaMCP) -> None:
    own, other = FakeEngine(), FakeEngine()
    async with (
        serving(own) as place,
        serving(other) as elsewhere,
        alone.having(URL=place.url).connect() as connection,
    ):
        for address in (elsewhere.url, f"{elsewhere.url}/v1"):
            await connection.refusal("chat", message="Say it.", model=address)
            await connection.refusal("start_llama_server", model_path=address)
            await connection.refusal("rank_texts", query="a", texts=["b"], model=address)
        assert not other.asked and not own.chats()
