"""However Python is told to run, wherever the packages lie: keeper, engine and checks come up."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from sysconfig import get_paths
from typing import Any

import pytest

import llama_mcp as package
from llama_mcp.keeper import spawning
from tests.support.client_process import LlamaMCP
from tests.support.raw_client import RawClient, raw_client

SOURCE = Path(package.__file__).parent.parent
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


async def works(client: RawClient) -> list[dict[str, Any]]:
    """Start, have a schema checked, stop; return the tools."""
    await client.hello()
    started = await client.call("start_llama_server")
    assert started["structuredContent"]["state"] == "ready", started["content"][0]["text"]
    checked = await client.call("chat", message="Hello", json_schema=SCHEMA, max_tokens=4)
    # The tiny model's vocabulary allows no grammar: what counts is that the check before it ran.
    assert "check" not in checked["content"][0]["text"], checked["content"][0]["text"]
    await client.call("stop_llama_server")
    listed = await client.answer(await client.ask("tools/list"))
    tools: list[dict[str, Any]] = listed["result"]["tools"]
    return tools


async def test_without_docstrings_every_tool_has_the_same_description(llama_mcp: LlamaMCP) -> None:
    described = []
    for level in ("0", "2"):
        variables = llama_mcp.variables | {"PYTHONOPTIMIZE": level}
        async with raw_client(replace(llama_mcp, variables=variables)) as client:
            described.append([tool["description"] for tool in await works(client)])
    assert described[0] == described[1] and all(described[0])


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "ascii", "PYTHONHASHSEED": "0", "PYTHONNODEBUGRANGES": "1"},
        {"PYTHONWARNINGS": "error", "PYTHONSTARTUP": "/nowhere", "PYTHONBREAKPOINT": "no.such"},
        {"PYTHONINSPECT": "1", "PYTHONUNBUFFERED": "1"},
        {"PYTHONPROFILEIMPORTTIME": "1", "PYTHONFAULTHANDLER": "1"},
        {"PYTHONDEVMODE": "1", "PYTHONASYNCIODEBUG": "1"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=lambda variables: next(iter(variables)),
)
async def test_variables_for_python_change_nothing(
    llama_mcp: LlamaMCP, variables: dict[str, str]
) -> None:
    odd = replace(llama_mcp, variables=llama_mcp.variables | variables)
    async with raw_client(odd) as client:
        await works(client)


def lay_out(packages: Path) -> None:
    """Put all packages into one folder, as `pip install --target` and MCP bundles do."""
    packages.mkdir(parents=True)
    installed = Path(get_paths()["purelib"]).iterdir()
    for entry in installed:
        if not entry.name.startswith(("llama_mcp", "_llama_mcp", "_editable")):
            (packages / entry.name).symlink_to(entry)
    (packages / "llama_mcp").symlink_to(SOURCE / "llama_mcp")
    about = packages / "llama_mcp-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: llama-mcp\nVersion: 0.1.0\n")


@pytest.mark.posix
async def test_packages_that_only_pythonpath_names_are_found_by_keeper_and_engine(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    lay_out(tmp_path / "server" / "lib")
    # The Python itself knows no packages, and the path is relative.
    bare = Path(sys.base_prefix) / "bin" / "python3"
    variables = llama_mcp.variables | {"PYTHONPATH": "lib"}
    command = ("sh", "-c", f"cd '{tmp_path}/server' && exec '{bare}' -m llama_mcp", "sh")
    bundled = replace(llama_mcp, command=command, variables=variables)
    async with raw_client(bundled) as client:
        assert await works(client)


def test_a_program_of_ours_looks_where_we_look_and_not_into_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "/odd 'path\udce9", *sys.path])
    code = spawning.program_command("llama_mcp.keeper")[3]
    given = code.split("sys.path[:] = ", 1)[1].split("; del", 1)[0]
    assert given.startswith('["/odd \'path\\udce9"')
    assert str(tmp_path) not in given
    assert json.dumps(str(SOURCE))[1:-1] in given
