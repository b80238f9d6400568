"""The models as a client sees them: the tool, its twin, one of them, names that complete."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import ResourceTemplateReference

from llama_mcp.surface.resources.uris import MODEL_TEMPLATE, MODELS
from tests.fake_llama_server.install import install_fake, recorded_launches
from tests.support.client_process import LlamaMCP, text_of
from tests.support.raw_client import RawClient, raw_client
from tests.support.tiny_bert import write_tiny_bert
from tests.support.tiny_model import write_tiny_model
from tests.support.tiny_projector import write_tiny_projector

UPDATED = "notifications/resources/updated"
WITHOUT_STARTER = {"MODEL_PATH": "", "MODEL_PLACES": "none"}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    (folder / "some" / "Tiny-VL-GGUF").mkdir(parents=True)
    write_tiny_model(folder / "some" / "Tiny-VL-GGUF" / "tiny-vl-F32.gguf")
    write_tiny_projector(folder / "some" / "Tiny-VL-GGUF" / "mmproj-tiny-vl-F32.gguf")
    write_tiny_bert(folder / "embeds.gguf")
    return folder


@pytest.fixture
def having(llama_mcp: LlamaMCP, models: Path) -> LlamaMCP:
    return llama_mcp.having(MODEL_PLACES="none", MODEL_DIRS=str(models))


def named(listed: dict[str, Any], part: str) -> dict[str, Any]:
    """Return the only row whose name has the part."""
    (row,) = [row for row in listed["models"] if part in row["model"]]
    return dict(row)


async def test_a_list_tells_what_there_is_and_starts_nothing(
    having: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder)
    async with having.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        listed = await connection.call("list_models")
        assert (await connection.call("status"))["state"] == "stopped"
        assert json.loads(await connection.read(MODELS))["models"] == listed["models"]
    assert not recorded_launches(fake_folder)
    assert listed["available_bytes"] > 0 and listed["total"] == len(listed["models"])
    sees, embeds = named(listed, "tiny-vl"), named(listed, "embeds")
    assert sees["kind"] == "chat" and sees["vision"] is True and sees["source"] == "model_dirs"
    assert embeds["kind"] == "embedding" and "vision" not in embeds and "running" not in embeds
    assert sees["fits"] in ("cpu", "gpu", "partly_gpu") and sees["needs_bytes"] > sees["size_bytes"]
    assert sees["max_ctx_size"] == 4096 and sees["context_length"] == 4096
    # What can chat comes first.
    rows = [row["model"] for row in listed["models"]]
    assert rows.index(sees["model"]) < rows.index(embeds["model"])


async def test_what_runs_comes_first_and_a_row_names_what_a_start_takes(having: LlamaMCP) -> None:
    async with having.connect() as connection:
        before = named(await connection.call("list_models"), "embeds")
        started = await connection.call("start_llama_server", model_path=before["model"])
        listed = await connection.call("list_models", limit=1)
        assert listed["models"][0]["model"] == before["model"]
        assert listed["models"][0]["running"] is True
        assert listed["total"] > 1 and f"limit={listed['total']}" in listed["note"]
        details = json.loads(await connection.read(f"llama://models/{before['model']}"))
        assert details["path"] == started["model_path"] and details["running"] is True
        await connection.call("stop_llama_server")
        assert "running" not in named(await connection.call("list_models"), "embeds")


async def test_a_query_finds_by_words_and_says_what_it_does_not_find(having: LlamaMCP) -> None:
    async with having.connect() as connection:
        for query, part in (("vision", "tiny-vl"), ("EMBEDDING", "embeds")):
            (row,) = (await connection.call("list_models", query=query))["models"]
            assert part in row["model"]
        none = await connection.result("list_models", query="granite")
        assert "'granite'" in text_of(none) and none.structured_content is not None
        assert none.structured_content["total"] == 0
        assert "'granite'" in none.structured_content["note"]


async def test_an_empty_list_names_folders_and_settings(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    empty = tmp_path / "empty"
    empty.mkdir()
    bare = llama_mcp.having(**WITHOUT_STARTER, MODEL_DIRS=str(gone), ALLOWED_PATHS=f"{empty}")
    async with bare.connect() as connection:
        note = (await connection.call("list_models"))["note"]
    assert str(gone) in note and "no folder" in note and str(empty) in note
    assert "LLAMA_MCP_MODEL_DIRS" in note and "LLAMA_MCP_MODEL_PLACES" in note


async def test_a_wrong_setting_of_folders_is_told(llama_mcp: LlamaMCP) -> None:
    async with llama_mcp.having(MODEL_PLACES="lmstudio, nonsense").connect() as connection:
        assert "LLAMA_MCP_MODEL_PLACES" in await connection.refusal("list_models")


async def test_names_of_models_complete_from_any_part_and_read_as_one_model(
    having: LlamaMCP,
) -> None:
    template = ResourceTemplateReference(type="ref/resource", uri=MODEL_TEMPLATE)
    async with having.connect() as connection:
        row = named(await connection.call("list_models"), "tiny-vl")
        completed = await connection.client.complete(template, {"name": "name", "value": "VL"})
        assert completed.completion.values == [row["model"]]
        nothing = await connection.client.complete(template, {"name": "name", "value": "nonsense"})
        assert nothing.completion.values == []
        everything = await connection.client.complete(template, {"name": "name", "value": ""})
        assert len(everything.completion.values) >= 2
        name = row["model"].replace("/", "%2F")
        details = json.loads(await connection.read(f"llama://models/{name}"))
        assert details.items() >= row.items()
        assert details["projector"].endswith("mmproj-tiny-vl-F32.gguf")


async def test_a_name_that_no_model_has_is_not_found_and_the_nearest_are_named(
    having: LlamaMCP,
) -> None:
    async with having.connect() as connection:
        for name in ("embedz", "nonsense", "%2Fetc%2Fpasswd", "..%2Fx"):
            with pytest.raises(MCPError) as refused:
                await connection.read(f"llama://models/{name}")
            assert refused.value.error.code in (-32602, -32002)
        with pytest.raises(MCPError, match="embeds"):
            await connection.read("llama://models/embedz")


async def hears_of(client: RawClient, uri: str) -> None:
    while (message := await client.next()).get("method") != UPDATED:
        continue
    assert message["params"]["uri"] == uri


async def test_a_listener_hears_of_a_model_that_comes_and_of_one_that_goes(
    having: LlamaMCP, models: Path
) -> None:
    async with raw_client(having) as client:
        await client.hello()
        await client.answer(await client.ask("resources/subscribe", uri=MODELS))
        await client.answer(await client.ask("tools/call", name="list_models", arguments={}))
        new = write_tiny_model(models / "new.gguf")
        await hears_of(client, MODELS)
        new.unlink()
        await hears_of(client, MODELS)


async def test_a_listener_hears_when_another_model_runs(having: LlamaMCP) -> None:
    async with raw_client(having) as client, having.connect() as other:
        await client.hello()
        await client.answer(await client.ask("resources/subscribe", uri=MODELS))
        await other.call("start_llama_server", model_path="tiny-vl", wait_seconds=0)
        await hears_of(client, MODELS)


@pytest.mark.posix  # links to folders need a privilege on Windows
async def test_a_model_that_was_started_by_another_path_is_the_one_that_runs(
    having: LlamaMCP, models: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").symlink_to(models)
    async with having.connect() as connection:
        await connection.call("start_llama_server", model_path=str(tmp_path / "other/embeds.gguf"))
        assert named(await connection.call("list_models"), "embeds")["running"] is True


async def test_a_model_that_runs_is_listed_although_nobody_looks_where_it_lies(
    having: LlamaMCP, tmp_path: Path
) -> None:
    elsewhere = write_tiny_bert(tmp_path / "elsewhere.gguf")
    async with having.connect() as connection:
        assert "elsewhere" not in str(await connection.call("list_models"))
        await connection.call("start_llama_server", model_path=str(elsewhere))
        first = (await connection.call("list_models"))["models"][0]
    assert first["model"] == str(elsewhere) and first["running"] and first["source"] == "path"
