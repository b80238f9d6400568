"""The command that is written down will still be there, and settings are checked."""

import sys
from pathlib import Path

import pytest

from llama_mcp.cli.install.command_path import our_entry, why_not_lasting
from llama_mcp.cli.install.errors import WrongSettingError
from llama_mcp.cli.install.given_settings import variables_of
from llama_mcp.cli.install.known.entry import Entry


@pytest.mark.parametrize(
    ("command", "platform", "where"),
    [
        ("/home/me/.local/bin/llama-mcp", "linux", None),
        ("/home/me/.local/share/uv/tools/llama-mcp/bin/llama-mcp", "linux", None),
        ("/home/me/.local/share/pipx/venvs/llama-mcp/bin/llama-mcp", "linux", None),
        ("/home/me/src/llama-mcp/.venv/bin/llama-mcp", "linux", None),
        ("/home/tmp/.venv/bin/llama-mcp", "linux", None),
        ("/tmp/x/bin/llama-mcp", "linux", "temporary"),
        ("/var/tmp/x/bin/llama-mcp", "linux", "temporary"),
        ("/home/me/.cache/uv/archive-v0/aB3/bin/llama-mcp", "linux", "uvx"),
        ("/home/me/.cache/uv/environments-v2/x/bin/llama-mcp", "linux", "uv"),
        ("/home/me/.local/share/pipx/.cache/1a/bin/llama-mcp", "linux", "pipx run"),
        ("/home/me/.npm/_npx/1a/node_modules/.bin/llama-mcp", "linux", "npx"),
        ("/home/me/src/.tox/py311/bin/llama-mcp", "linux", "tox"),
        ("/home/me/src/build/venv/bin/llama-mcp", "linux", "build folder"),
        ("/private/var/folders/zz/T/x/bin/llama-mcp", "darwin", "temporary"),
        ("/tmp/x/bin/llama-mcp", "darwin", "temporary"),
        ("/Users/me/Library/Caches/uv/archive-v0/x/bin/llama-mcp", "darwin", "uvx"),
        (r"C:\Users\me\AppData\Local\Temp\x\Scripts\llama-mcp.exe", "win32", "temporary"),
        (r"c:\users\me\appdata\local\temp\x\llama-mcp.exe", "win32", "temporary"),
        (r"C:\Users\me\AppData\Local\uv\cache\archive-v0\x\llama-mcp.exe", "win32", "uv"),
        (r"C:\Users\me\.local\bin\llama-mcp.exe", "win32", None),
    ],
)
def test_a_command_in_a_passing_folder_is_known(
    command: str, platform: str, where: str | None
) -> None:
    environment = {"TEMP": r"C:\Users\me\AppData\Local\Temp"} if platform == "win32" else {}
    found = why_not_lasting(command, platform, environment)
    assert found is None if where is None else found is not None and where in found


def test_the_folders_that_variables_name_count() -> None:
    assert why_not_lasting("/scratch/x/llama-mcp", "linux", {"TMPDIR": "/scratch"})
    assert why_not_lasting("/big/uv/x/llama-mcp", "linux", {"UV_CACHE_DIR": "/big/uv"})


@pytest.mark.posix
def test_the_command_on_the_path_is_taken_when_it_is_the_same(tmp_path: Path) -> None:
    tool, on_path = tmp_path / "tool" / "bin", tmp_path / "bin"
    tool.mkdir(parents=True)
    on_path.mkdir()
    script, link = tool / "llama-mcp", on_path / "llama-mcp"
    python = tool / "python"
    assert our_entry(python, {}) == Entry(str(python), ("-P", "-m", "llama_mcp"))
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    link.symlink_to(script)
    assert our_entry(python, {"PATH": str(on_path)}) == Entry(str(link))
    assert our_entry(python, {"PATH": ""}) == Entry(str(script))
    link.unlink()
    link.write_text("#!/bin/sh\n# another one\n")
    link.chmod(0o755)
    assert our_entry(python, {"PATH": str(on_path)}) == Entry(str(script))
    assert sys.platform != "win32"


def test_settings_are_taken_with_or_without_their_prefix() -> None:
    given = ["ctx_size=8192", "LLAMA_MCP_EXTRA_ARGS=--threads=2 -x", "Port=0"]
    assert variables_of(given) == {
        "LLAMA_MCP_CTX_SIZE": "8192",
        "LLAMA_MCP_EXTRA_ARGS": "--threads=2 -x",
        "LLAMA_MCP_PORT": "0",
    }


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("CTX_SIZE", "has no `=`"),
        ("CTX=1", "LLAMA_MCP_CTX is not a setting"),
        ("CTX_SIZE=many", "LLAMA_MCP_CTX_SIZE cannot be 'many'"),
        ("PORT=70000", "LLAMA_MCP_PORT"),
    ],
)
def test_what_is_no_setting_is_refused(given: str, problem: str) -> None:
    with pytest.raises(WrongSettingError, match=problem):
        variables_of([given])
