"""Models of somebody else's engine stand beside those of this machine, each by its name."""

from pathlib import Path

from tests.support.client_process import LlamaMCP
from tests.support.models_file import entry, write_models
from tests.support.somebodys_engine import program_of, somebodys_engine
from tests.support.tiny_bert import write_tiny_bert


def far(url: str, name: str = "far", **values: object) -> str:
    lines = [f'name = "{name}"', f'url = "{url}"', *(f"{k} = {v!r}" for k, v in values.items())]
    return "\n".join(["[[models]]", *lines, ""])


async def test_each_is_chosen_by_its_name_and_a_session_stays_with_its_own(
    llama_mcp: LlamaMCP, tiny_model: Path, tmp_path: Path, somebodys_url: str
) -> None:
    file = write_models(tmp_path / "models.toml", entry("near", tiny_model), far(somebodys_url))
    having = llama_mcp.having(MODELS=str(file), MODEL_PATH="near")
    async with having.connect() as connection:
        there = await connection.call("chat", message="Hello.", model="far", max_tokens=4)
        here = await connection.call("chat", message="Hello.", max_tokens=4)
        again = await connection.call(
            "chat", message="More.", session_id=there["session_id"], max_tokens=4
        )
        models = {}
        for reply in (there, here, again):
            page = await connection.call("read_session", session_id=reply["session_id"])
            models[reply["session_id"], reply["turn"]] = page["turns"][-1]["model"]
        assert models == {
            (there["session_id"], 1): "far",
            (here["session_id"], 1): "near",
            (there["session_id"], 2): "far",
        }
        assert (await connection.call("status"))["model"] == "near"
        assert (await connection.call("status", model="far"))["engine"]["kind"] == "remote"
        rows = {row["model"]: row for row in (await connection.call("list_models"))["models"]}
        assert (rows["far"]["source"], rows["near"]["source"]) == ("remote", "models_file")
        assert rows["far"]["running"] and rows["near"]["running"]
        about = await connection.client.read_resource("llama://models/far")
        assert somebodys_url in str(about.contents[0]) and str(file) in str(about.contents[0])
        scraped = await connection.client.read_resource("llama://server/metrics.prom")
        for name in ("far", "near"):
            assert f'llama_mcp_up{{model="{name}"}} 1.0' in str(
                getattr(scraped.contents[0], "text", "")
            )
        assert "somebody else" in await connection.refusal("start_llama_server", model_path="far")
        await connection.call("stop_llama_server")


async def test_the_first_entry_answers_when_none_is_named_wherever_it_is(
    llama_mcp: LlamaMCP, tiny_model: Path, tmp_path: Path, somebodys_url: str
) -> None:
    file = write_models(tmp_path / "models.toml", far(somebodys_url), entry("near", tiny_model))
    async with llama_mcp.having(MODELS=str(file), MODEL_PATH="").connect() as connection:
        reply = await connection.call("chat", message="Hello.", max_tokens=4)
        page = await connection.call("read_session", session_id=reply["session_id"])
        assert page["turns"][0]["model"] == "far"
        assert (await connection.call("get_config"))["url"] == somebodys_url
    assert not (llama_mcp.home / "runs").exists()


async def test_texts_are_ranked_by_a_model_elsewhere(
    alone: LlamaMCP, tmp_path: Path, engine: str
) -> None:
    model = write_tiny_bert(tmp_path / "bert.gguf")
    flags = ("-m", str(model), "--embedding", "-t", "1", "-c", "128")
    log = tmp_path / "somebodys.log"
    async with somebodys_engine(program_of(engine), *flags, log=log) as url:
        file = write_models(tmp_path / "models.toml", far(url, "ranker"))
        async with alone.having(MODELS=str(file)).connect() as connection:
            ranking = await connection.call(
                "rank_texts", query="a cat", texts=["a dog", "a cat"], model="ranker"
            )
            assert ranking["ranked"] == 2 and "ranker" in ranking["by"]
