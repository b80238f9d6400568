"""What is wrong with a start is said before it has any effect, and whose value it is."""

import os
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.starting.preparation import prepare
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.reading_settings import read_settings
from tests.support.models_file import entry, write_models
from tests.support.small_gguf import write_gguf, write_projector, write_shards

OPERATORS = "the value is the operator's, from LLAMA_MCP_MODEL_PATH"


async def refusal(variables: dict[str, str], model_path: str | None = None) -> str:
    settings = read_settings({f"LLAMA_MCP_{name}": value for name, value in variables.items()})
    with pytest.raises(LlamaMCPError) as caught:
        await prepare(settings, dict(os.environ), LaunchArguments(model_path=model_path))
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no-such-name", "there is no such file"),
        ("{folder}/no/such/m.gguf", "it does not exist"),
        ("https://huggingface.co/u/r", "it is an address on Hugging Face"),
        ("https://example.com/m.gguf", "it is an address"),
        ("hf.co/u/r:Q4_K_M", "it names the repository u/r on Hugging Face"),
        ("u/r:Q4_K_M", "there is no such file"),
        ("tiny", "2 models fit that name"),
        ("{folder}", "it is a folder"),
        ("{folder}/broken.gguf", "it ends after 11 bytes"),
        ("{folder}/web.gguf", "it is a web page"),
        ("{folder}/mmproj.gguf", "it is a projector"),
        ("mmproj", "it is a projector"),
        ("{folder}/Big-00002-of-00002.gguf", "Big-00001-of-00002.gguf is missing"),
        ("Big", "Big-00001-of-00002.gguf is missing"),
        ("{outside}", "outside the folders that the operator allows"),
        (
            str(Path("/no/such/folder/m.gguf").absolute()),
            "outside the folders that the operator allows",
        ),
    ],
)
async def test_whatever_is_wrong_with_the_operators_model_is_not_told_as_the_callers(
    tmp_path: Path, value: str, words: str
) -> None:
    folder = tmp_path / "models"
    for name in ("tiny-a", "tiny-b"):
        write_gguf(folder / f"{name}.gguf")
    write_projector(folder / "mmproj.gguf")
    write_shards(folder, "Big", 2, leave_out=[1])
    (folder / "broken.gguf").write_bytes(b"GGUF broken")
    (folder / "web.gguf").write_bytes(b"<!doctype html>")
    path = value.format(folder=folder, outside=write_gguf(tmp_path / "outside.gguf"))
    variables = {
        "HOME": str(tmp_path / "state"),
        "LLAMA_CPP_PATH": "embedded",
        "MODEL_DIRS": str(folder),
        "ALLOWED_PATHS": str(folder),
    }
    of_operator = await refusal(variables | {"MODEL_PATH": path})
    assert words in of_operator and OPERATORS in of_operator
    of_caller = await refusal(variables, model_path=path)
    assert words in of_caller and OPERATORS not in of_caller


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"model_path": "allowed/no.gguf"}, "it does not exist"),
        ({"model_path": "https://example.com/m.gguf"}, "it is an address"),
        ({"model_path": "outside.gguf"}, "outside the folders that the operator allows"),
        ({"model_path": "allowed/mmproj.gguf"}, "it is a projector"),
        ({"llama_cpp_path": "no/such"}, "No llama-server was found"),
        ({"extra_args": ["--no-such-flag"]}, "--no-such-flag"),
        (
            {"extra_args": ["--lora", "allowed/no.gguf"]},
            "/no.gguf for --lora, which does not exist",
        ),
        ({"extra_args": ["--host", "0.0.0.0"]}, "--host"),
        ({"ctx_size": 2147483392, "parallel": 2}, "times parallel"),
    ],
)
async def test_whatever_is_wrong_with_an_entry_is_told_with_its_name_and_file(
    tmp_path: Path, values: dict[str, Any], words: str
) -> None:
    folder = tmp_path / "allowed"
    write_gguf(folder / "a.gguf")
    write_projector(folder / "mmproj.gguf")
    write_gguf(tmp_path / "outside.gguf")
    fields: dict[str, Any] = {"model_path": "allowed/a.gguf", **values}
    file = write_models(tmp_path / "models.toml", entry("coder", **fields))
    variables = {
        "HOME": str(tmp_path / "state"),
        "LLAMA_CPP_PATH": "embedded",
        "ALLOWED_PATHS": str(folder),
        "MODELS": str(file),
    }
    told = await refusal(variables, model_path="CODER")
    assert words in told.replace(os.sep, "/")
    assert f"the value is that of 'coder' in {file}" in told
    assert told.replace("'coder'", "") == (await refusal(variables)).replace("'coder'", "")


async def test_an_entry_is_launched_with_its_name_and_what_is_set_for_it(tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf")
    write_gguf(tmp_path / "lora.gguf", "", {"general.type": "adapter"})
    values = {"idle_seconds": 9, "keep": True, "extra_args": "--lora lora.gguf", "parallel": 1}
    file = write_models(tmp_path / "models.toml", entry("My coder", "a.gguf", **values))
    settings = read_settings(
        {
            "LLAMA_MCP_HOME": str(tmp_path / "state"),
            "LLAMA_MCP_LLAMA_CPP_PATH": "embedded",
            "LLAMA_MCP_MODELS": str(file),
        }
    )
    prepared = await prepare(settings, dict(os.environ), LaunchArguments(model_path="my"))
    launch = prepared.launch_on(8080, 1.0)
    assert (launch.alias, launch.idle_seconds, launch.keep) == ("My coder", 9, True)
    assert launch.config.model_path == str(tmp_path / "a.gguf")
    assert launch.config.extra_args == ("--lora", str(tmp_path / "lora.gguf"))
    assert launch.config.parallel == 1
