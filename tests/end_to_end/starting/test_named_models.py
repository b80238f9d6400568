"""Models that the operator has named in a file: started, judged and listed by their names."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mcp.types import ResourceTemplateReference

from llama_mcp.surface.resources.uris import MODEL_TEMPLATE, MODELS
from tests.support.client_process import Connection, LlamaMCP
from tests.support.models_file import entry, write_models
from tests.support.processes import until
from tests.support.raw_client import raw_client
from tests.support.tiny_bert import write_tiny_bert
from tests.support.tiny_model import write_tiny_model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two entries of one file, with other settings, and one of which there is no file."""
    folder = tmp_path / "operator"
    folder.mkdir()
    write_tiny_model(folder / "tiny-a.gguf")
    return write_models(
        folder / "models.toml",
        entry("Coder", "tiny-a.gguf", ctx_size=1024, parallel=2, idle_seconds=900, keep=True),
        entry("chatty", "tiny-a.gguf", ctx_size=256, parallel=1),
        entry("gone", "no/such.gguf"),
    )


@pytest.fixture
def having(llama_mcp: LlamaMCP, file: Path) -> LlamaMCP:
    folder = str(file.parent)
    return llama_mcp.having(MODELS=str(file), MODEL_PATH="", MODEL_PLACES="none", MODEL_DIRS=folder)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def launch_of(llama_mcp: LlamaMCP) -> dict[str, Any]:
    """Return the record of the last launch."""
    runs = llama_mcp.home / "runs"
    run = json.loads((runs / "current.json").read_text(encoding="utf-8"))["run"]
    record: dict[str, Any] = json.loads((runs / run / "launch.json").read_text(encoding="utf-8"))
    return record


async def rows(connection: Connection, **arguments: Any) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await connection.call("list_models", **arguments))["models"]
    return listed


def running(listed: list[dict[str, Any]]) -> list[str]:
    return [row["model"] for row in listed if row.get("running")]


async def test_a_model_is_started_by_its_name_or_the_beginning_of_it_with_its_settings(
    having: LlamaMCP,
) -> None:
    async with having.connect() as connection:
        started = await connection.call("start_llama_server", model_path="coder")
        assert started["model"] == "Coder" and started["slots"]["total"] == 2
        launch = launch_of(having)
        assert (launch["idle_seconds"], launch["keep"]) == (900, True)
        config = await connection.call("get_config")
        assert (config["ctx_size"], config["parallel"]) == (1024, 2)
        reply = await connection.call("chat", message="Hello", max_tokens=4)
        assert reply["reply"]
        # The same file under another name is another model.
        refusal = await connection.refusal("start_llama_server", model_path="chat")
        assert "its name ('Coder', asked for 'chatty')" in refusal
        replaced = await connection.call(
            "start_llama_server", model_path="CHAT", ctx_size=512, replace=True
        )
        assert replaced["model"] == "chatty"
        assert (await connection.call("get_config"))["ctx_size"] == 512
        assert (launch_of(having)["idle_seconds"], launch_of(having)["keep"]) == (0, False)


async def test_the_first_entry_is_the_default_unless_the_operator_names_another(
    having: LlamaMCP,
) -> None:
    for named, name in (("", "Coder"), ("chatty", "chatty")):
        async with having.having(MODEL_PATH=named).connect() as connection:
            config = await connection.call("get_config")
            assert any(f"A start uses {name!r} of " in note for note in config["notes"])
            assert config["parallel"] == (2 if name == "Coder" else 1)
            reply = await connection.call("chat", message="Hello", max_tokens=4)
            assert any(name in note for note in reply["notes"])
            assert (await connection.call("status"))["model"] == name


async def test_the_list_has_the_entries_first_and_tells_what_is_missing(having: LlamaMCP) -> None:
    template = ResourceTemplateReference(type="ref/resource", uri=MODEL_TEMPLATE)
    async with having.connect() as connection:
        listed = await rows(connection)
        assert [row["model"] for row in listed[:3]] == ["Coder", "chatty", "gone"]
        assert {row["source"] for row in listed[:3]} == {"models_file"}
        assert "tiny-a" in [row["model"] for row in listed[3:]]
        coder, chatty, gone = listed[:3]
        assert coder["needs_bytes"] > chatty["needs_bytes"] > coder["size_bytes"]
        assert "it does not exist" in gone["problem"] and "fits" not in gone
        await connection.call("start_llama_server", model_path="chatty")
        listed = await rows(connection)
        assert running(listed) == [listed[0]["model"]] == ["chatty"]
        assert json.loads(await connection.read(MODELS))["models"] == listed
        details = json.loads(await connection.read("llama://models/chatty"))
        assert details["running"] is True and details["entry"]["ctx_size"] == 256
        assert details["path"].endswith("tiny-a.gguf")
        gone = json.loads(await connection.read("llama://models/GONE"))
        assert "it does not exist" in gone["problem"] and "path" not in gone
        completed = await connection.client.complete(template, {"name": "name", "value": "c"})
        assert completed.completion.values[:2] == ["Coder", "chatty"]


async def test_a_model_of_the_library_that_an_entry_is_called_as_is_listed_by_its_path(
    having: LlamaMCP, file: Path
) -> None:
    write_models(file, entry("TINY-A", "tiny-a.gguf", ctx_size=256))
    path = str(file.parent / "tiny-a.gguf")
    async with having.connect() as connection:
        names = [row["model"] for row in await rows(connection)]
        assert names[0] == "TINY-A" and path in names and "tiny-a" not in names
        await connection.call("start_llama_server", model_path="tiny-a")
        assert (await connection.call("get_config"))["ctx_size"] == 256
        assert running(await rows(connection)) == ["TINY-A"]
        await connection.call("start_llama_server", model_path=path, ctx_size=512, replace=True)
        assert (await connection.call("status"))["model"] == "tiny-a"


async def test_a_wrong_file_is_told_by_what_needs_it_and_hinders_nothing_else(
    having: LlamaMCP, file: Path
) -> None:
    right, wrong = "keep = true", 'keep = "yes"\nctx_sise = 1'
    change(file, right, wrong)
    told = ('line 7: keep cannot be "yes": it takes true or false', "nearest name is ctx_size")
    path = str(file.parent / "tiny-a.gguf")
    async with having.connect() as connection:
        for tool, arguments in (
            ("start_llama_server", {}),
            ("start_llama_server", {"model_path": "coder"}),
            ("chat", {"message": "Hello"}),
            ("rank_texts", {"query": "a", "texts": ["b"]}),
        ):
            refusal = await connection.refusal(tool, **arguments)
            assert all(part in refusal for part in told), refusal
        notes = (await connection.call("get_config"))["notes"]
        assert len(notes) == 1 and all(part in notes[0] for part in told)
        listed = await connection.call("list_models")
        assert all(part in listed["note"] for part in told)
        assert path in [row["model"] for row in listed["models"]]
        assert json.loads(await connection.read(MODELS))["note"] == listed["note"]
        template = ResourceTemplateReference(type="ref/resource", uri=MODEL_TEMPLATE)
        completed = await connection.client.complete(template, {"name": "name", "value": "tiny"})
        assert completed.completion.values == ["tiny-a"]
        # A path needs no name.
        await connection.call("start_llama_server", model_path=path)
        assert (await connection.call("chat", message="Hello", max_tokens=4))["reply"]
        assert (await connection.call("status"))["state"] == "ready"
        change(file, wrong, right)
        assert running(await rows(connection))
        await connection.call("stop_llama_server")
        assert (await connection.call("start_llama_server", model_path="cod"))["model"] == "Coder"


@pytest.mark.posix
async def test_a_file_that_can_never_be_read_hangs_nothing(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    fifo = tmp_path / "models.toml"
    if hasattr(os, "mkfifo"):
        os.mkfifo(fifo)
    async with llama_mcp.having(MODELS=str(fifo), MODEL_PATH="").connect() as connection:
        assert "it is a FIFO" in (await connection.call("list_models"))["note"]
        assert "it is a FIFO" in await connection.refusal("start_llama_server")
        assert (await connection.call("status"))["state"] == "stopped"


async def test_a_changed_entry_counts_for_the_next_start(having: LlamaMCP, file: Path) -> None:
    async with having.connect() as connection:
        await connection.call("start_llama_server", model_path="coder")
        change(file, "ctx_size = 1024", "ctx_size = 768")
        assert (await connection.call("get_config"))["ctx_size"] == 1024
        refusal = await connection.refusal("start_llama_server", model_path="coder")
        assert "ctx_size (1024, asked for 768)" in refusal
        await connection.call("start_llama_server", model_path="coder", replace=True)
        assert (await connection.call("get_config"))["ctx_size"] == 768


async def test_what_is_wrong_with_the_file_is_said_on_stderr(
    having: LlamaMCP, file: Path, tmp_path: Path
) -> None:
    change(file, "keep = true", "keep = [")
    log = tmp_path / "stderr"
    with log.open("wb") as stderr:
        async with raw_client(having, stderr=stderr) as client:
            await client.hello()
            await client.call("status")
            told = ": it is no TOML: "
            await until(lambda: told in log.read_text(encoding="utf-8"), "the file is told")


async def test_a_ranking_takes_the_only_model_of_the_file_that_ranks(
    having: LlamaMCP, file: Path
) -> None:
    write_tiny_bert(file.parent / "embeds-a.gguf")
    write_tiny_bert(file.parent / "embeds-b.gguf")
    write_models(file, entry("coder", "tiny-a.gguf"), entry("finder", "embeds-b.gguf"))
    async with having.connect() as connection:
        await connection.call("rank_texts", query="a", texts=["a", "b"])
        assert (await connection.call("status"))["model"] == "finder"
        await connection.call("stop_llama_server")
        refusal = await connection.refusal("rank_texts", query="a", texts=["a"], model="coder")
        assert "finder (" in refusal
