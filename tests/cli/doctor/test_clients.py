"""What `llama-mcp doctor` says of clients: each entry launched as its client does it."""

import json
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.cli.doctor.entries.time_limits import call_limit, start_limit
from tests.cli.doctor.running import Examined, examine
from tests.support.client_process import LlamaMCP

# Where these clients keep their files differs on other platforms; places.py has tests for those.
pytestmark = pytest.mark.posix


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The user's own folder, as every test has one."""
    return tmp_path / "user-home"


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def cursor(home: Path, **entries: Any) -> Path:
    return write(home / ".cursor" / "mcp.json", {"mcpServers": entries})


def entry(llama_mcp: LlamaMCP, **env: str) -> dict[str, Any]:
    return {"command": llama_mcp.command[0], "args": [], "env": llama_mcp.variables | env}


def quick(llama_mcp: LlamaMCP, *arguments: str) -> Examined:
    """Run doctor where its own start is not what a test is about."""
    return examine(llama_mcp.having(MODEL_PATH="/no/such/model.gguf"), *arguments)


def test_without_a_client_it_says_so(llama_mcp: LlamaMCP) -> None:
    assert quick(llama_mcp).of("client", "ok") == ["no client that is known was found here"]


def test_entries_of_every_form_are_found_and_launched(llama_mcp: LlamaMCP, home: Path) -> None:
    cursor(home, **{"llama-mcp": entry(llama_mcp, HF_TOKEN="hf_abc")})
    command = llama_mcp.command[0]
    write(home / ".codex" / "config.toml", f'[mcp_servers.local]\ncommand = "{command}"\n')
    opencode = {"type": "local", "command": [command], "environment": {"LLAMA_MCP_CTX_SIZE": "9"}}
    text = f'{{ // mine\n"mcp": {{"llama-mcp": {json.dumps(opencode)}}} }}'
    write(home / ".config" / "opencode" / "opencode.json", text)
    goose = f"extensions:\n  local:\n    type: stdio\n    cmd: {command}\n    enabled: false\n"
    write(home / ".config" / "goose" / "config.yaml", goose)
    write(home / ".claude" / "settings.json", {})

    examined = quick(llama_mcp)
    told = examined.of("client", "ok")
    assert not examined.of("client"), examined.of("client")
    works = [line for line in told if "works as it is started there: first answer" in line]
    assert [line.partition(" (")[0] for line in works] == ["Cursor", "Codex", "opencode"]
    assert "MCP 2025-06-18, 19 tools, left " in works[1]
    assert any("Codex (user, `local`): " in line for line in told)
    assert any("HF_TOKEN=(not shown)" in line for line in told)
    assert any("sets LLAMA_MCP_CTX_SIZE=9" in line for line in told)
    assert "Goose (user, `local`): turned off" in told
    assert told[-1].startswith("here without an entry: Claude Code; `llama-mcp install claude-")


def test_what_a_project_brings_is_not_launched_unasked(llama_mcp: LlamaMCP, tmp_path: Path) -> None:
    project = tmp_path / "project"
    trap = write(project / "trap", f"#!/bin/sh\ntouch {tmp_path / 'sprung'}\n")
    trap.chmod(0o755)
    write(project / ".cursor" / "mcp.json", {"mcpServers": {"llama-mcp": {"command": str(trap)}}})
    without_model = llama_mcp.having(MODEL_PATH="/no/such/model.gguf")
    told = examine(without_model, folder=project).of("client", "ok")
    assert any("Cursor (project, `llama-mcp`): not launched" in line for line in told)
    assert not (tmp_path / "sprung").exists()


def test_with_prove_every_entry_starts_the_model(llama_mcp: LlamaMCP, home: Path) -> None:
    cursor(home, **{"llama-mcp": entry(llama_mcp)})
    [works] = [each for each in quick(llama_mcp, "--prove").of("client", "ok") if "works" in each]
    assert "tiny ready after" in works and "a reply of 16 tokens, streamed" in works


def test_an_entry_whose_command_is_gone_is_a_fault(llama_mcp: LlamaMCP, home: Path) -> None:
    cursor(home, **{"llama-mcp": {"command": "/gone/bin/llama-mcp"}})
    [text] = quick(llama_mcp).of("client")
    assert "Cursor (user, `llama-mcp`) starts /gone/bin/llama-mcp, which is no program" in text
    assert "`llama-mcp install cursor --replace`" in text


def test_a_command_that_only_a_shell_finds_is_a_fault_of_a_desktops(
    llama_mcp: LlamaMCP, home: Path
) -> None:
    file = home / ".config" / "Claude" / "claude_desktop_config.json"
    write(file, {"mcpServers": {"llama-mcp": {"command": "llama-mcp"}}})
    folder = str(Path(llama_mcp.command[0]).parent)
    with_path = examine(
        llama_mcp.having(MODEL_PATH="/no/such.gguf"), more={"PATH": f"{folder}:/usr/bin:/bin"}
    )
    [text] = with_path.of("client")
    assert "Claude Desktop" in text and "which is not on the PATH it has" in text


def test_two_entries_of_one_client_are_warned_of(llama_mcp: LlamaMCP, home: Path) -> None:
    cursor(home, **{"llama-mcp": entry(llama_mcp), "old": entry(llama_mcp)})
    told = quick(llama_mcp).of("client", "warning")
    [twice] = [line for line in told if "entries that start llama-mcp" in line]
    assert twice.startswith("Cursor has 2 entries that start llama-mcp: `llama-mcp` in ")


def test_a_wrong_setting_of_an_entry_is_a_fault(llama_mcp: LlamaMCP, home: Path) -> None:
    cursor(home, **{"llama-mcp": entry(llama_mcp, LLAMA_MCP_PARALLEL="many")})
    texts = quick(llama_mcp).of("client")
    assert any("Cursor" in each and "LLAMA_MCP_PARALLEL cannot be 'many'" in each for each in texts)


def test_a_file_that_its_client_cannot_read_is_a_fault(llama_mcp: LlamaMCP, home: Path) -> None:
    file = write(home / ".cursor" / "mcp.json", '{"mcpServers": {"llama-mcp": }}')
    [text] = quick(llama_mcp).of("client")
    assert text.startswith(f"Cursor: {file} cannot be read: ")
    assert "line 1, column " in text


def test_a_command_that_is_another_program_is_a_fault(
    llama_mcp: LlamaMCP, home: Path, tmp_path: Path
) -> None:
    other = write(tmp_path / "llama-mcp", "#!/bin/sh\necho Hello\n")
    other.chmod(0o755)
    cursor(home, **{"llama-mcp": {"command": str(other)}})
    [text] = quick(llama_mcp).of("client")
    assert "Cursor (user, `llama-mcp`) does not work: It wrote a line to stdout that is" in text


def test_a_limit_below_wait_seconds_is_warned_of(llama_mcp: LlamaMCP, home: Path) -> None:
    line = f'[mcp_servers.llama-mcp]\ncommand = "{llama_mcp.command[0]}"\ntool_timeout_sec = 30\n'
    write(home / ".codex" / "config.toml", line)
    told = quick(llama_mcp).of("client", "warning")
    [text] = [each for each in told if "gives up a call" in each]
    assert "Codex (user, `llama-mcp`) gives up a call after 30 s, and llama-mcp waits 50 s" in text
    assert "Set LLAMA_MCP_WAIT_SECONDS to 28 or less" in text


def test_limits_are_read_in_the_units_of_each_client() -> None:
    assert call_limit("gemini", {"timeout": 15_000}) == 15
    assert call_limit("zed", {"timeout": 15}) == 15
    assert call_limit("codex", {}) == 60
    assert call_limit("cursor", {"timeout": 15}) is None
    assert start_limit("qwen", {"discoveryTimeoutMs": 5000}) == 5
    assert start_limit("cursor", {}) is None
