"""The installed command: it proves, writes, tells, and gives back; a client's program is used."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMAND = Path(sys.executable).with_name(
    "llama-mcp.exe" if sys.platform == "win32" else "llama-mcp"
)
# Stands for Claude Code's own program, which keeps entries as these arguments say.
CLAUDE = """\
#!{python}
import json, os, pathlib, sys
file = pathlib.Path(os.environ["HOME"]) / ".claude.json"
held = json.loads(file.read_text()) if file.exists() else {{}}
servers = held.setdefault("mcpServers", {{}})
match sys.argv[1:]:
    case ["mcp", "add-json", "-s", "user", name, entry] if name not in servers:
        servers[name] = json.loads(entry)
    case ["mcp", "remove", "-s", "user", name] if name in servers:
        del servers[name]
    case _:
        sys.exit(f"claude: not so: {{sys.argv[1:]}}")
file.write_text(json.dumps(held, indent=2))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("home", "programs", "temporary", "project"):
        (tmp_path / name).mkdir()
    return tmp_path / "home"


def run(home: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    beside = home.parent
    environment = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    environment |= {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "APPDATA": str(home / "AppData" / "Roaming"),
        "PATH": f"{beside / 'programs'}{os.pathsep}{os.defpath}",
        # This repository may itself lie in the usual folder for temporary files.
        "TMPDIR": str(beside / "temporary"),
        "TEMP": str(beside / "temporary"),
    }
    return subprocess.run(
        [str(COMMAND), *arguments],
        env=environment | variables,
        cwd=beside / "project",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def told(done: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    """Return what the command tells programs."""
    clients: list[dict[str, Any]] = json.loads(done.stdout)["clients"]
    return clients


def test_a_client_is_set_up_and_given_back(home: Path) -> None:
    file = home / ".codex" / "config.toml"
    file.parent.mkdir()
    before = b'# mine\r\nmodel = "x"\r\n'
    file.write_bytes(before)
    done = run(home, "install", "codex", "--set", "port=0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Codex: added to {file}\n  As it was: ")
    assert "To do: Start a new session" in done.stdout
    assert "first answer after" in done.stderr and "a reply of" in done.stderr
    assert b'[mcp_servers.llama-mcp.env]\r\nLLAMA_MCP_PORT = "0"\r\n' in file.read_bytes()
    again = run(home, "install", "codex", "--set", "LLAMA_MCP_PORT=0", "--json")
    assert again.returncode == 0 and told(again)[0]["state"] == "already there"
    other = run(home, "install", "codex")
    assert other.returncode == 1 and "--replace" in other.stdout
    gone = run(home, "uninstall", "--all")
    assert gone.stdout == f"Codex: taken out of {file}\n" and gone.stderr == ""
    assert file.read_bytes() == before and list(file.parent.iterdir()) == [file]


def test_nothing_is_written_when_the_entry_would_not_work(home: Path) -> None:
    missing = str(home / "nothing" / "llama-server")
    done = run(home, "install", "cursor", "--set", f"LLAMA_CPP_PATH={missing}")
    assert done.returncode == 1
    assert "nothing was written, because llama-mcp did not work" in done.stdout
    assert missing in done.stdout
    assert not (home / ".cursor").exists()


def test_all_means_the_clients_that_are_here(home: Path) -> None:
    nothing = run(home, "install", "--all", "--dry-run")
    assert nothing.returncode == 0 and nothing.stdout.startswith("No client was found")
    (home / ".cursor").mkdir()
    (home / ".qwen").mkdir()
    done = run(home, "install", "--all", "--dry-run", "--json")
    assert [(each["client"], each["state"]) for each in told(done)] == [
        ("cursor", "would change"),
        ("qwen", "would change"),
    ]
    assert done.stderr == "" and not list((home / ".cursor").iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["install"], 2, "give either --all, or some of: claude-desktop"),
        (["uninstall", "codex", "--all"], 2, "give either --all"),
        (["install", "cladue-code"], 2, "did you mean claude-code?"),
        (["install", "codex", "--set", "PROT=1"], 1, "nearest name is LLAMA_MCP_PORT"),
        (["install", "zed", "--link"], 1, "no link is known for Zed"),
    ],
)
def test_what_cannot_be_done_is_said(
    home: Path, arguments: list[str], code: int, problem: str
) -> None:
    done = run(home, *arguments)
    assert done.returncode == code and problem in done.stderr and done.stdout == ""


def test_a_command_in_a_passing_folder_is_refused(home: Path) -> None:
    done = run(home, "install", "codex", TMPDIR=str(COMMAND.parent), TEMP=str(COMMAND.parent))
    assert done.returncode == 1
    assert "a folder for temporary files" in done.stderr and "uv tool install" in done.stderr
    assert not (home / ".codex").exists()


def test_a_link_is_all_that_is_printed(home: Path) -> None:
    done = run(home, "install", "cursor", "--link")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("cursor://anysphere.cursor-deeplink/mcp/install?name=llama-mcp&")
    assert not (home / ".cursor").exists()


@pytest.mark.posix
def test_the_clients_own_program_is_used_where_it_does_it_right(home: Path) -> None:
    program = home.parent / "programs" / "claude"
    program.write_text(CLAUDE.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    file = home / ".claude.json"
    file.write_text('{"projects": {}}')
    done = run(home, "install", "claude-code")
    assert done.returncode == 0, done.stdout + done.stderr
    held = json.loads(file.read_text())
    assert list(held) == ["projects", "mcpServers"]
    entry = held["mcpServers"]["llama-mcp"]
    assert entry == {"type": "stdio", "command": str(COMMAND), "args": []}
    replaced = run(home, "install", "claude-code", "--set", "PORT=0", "--replace", "--json")
    assert told(replaced)[0]["state"] == "replaced", replaced.stderr
    assert json.loads(file.read_text())["mcpServers"]["llama-mcp"]["env"] == {"LLAMA_MCP_PORT": "0"}
    assert run(home, "uninstall", "claude-code").returncode == 0
    assert json.loads(file.read_text())["mcpServers"] == {}


@pytest.mark.posix
def test_an_entry_stays_when_the_clients_own_program_refuses_the_next(home: Path) -> None:
    program = home.parent / "programs" / "claude"
    picky = CLAUDE.replace(
        "if name not in servers", 'if name not in servers and "PORT" not in entry'
    )
    program.write_text(picky.format(python=sys.executable))
    program.chmod(0o755)
    file = home / ".claude.json"
    before = {"mcpServers": {"llama-mcp": {"type": "stdio", "command": "/old"}}}
    file.write_text(json.dumps(before, indent=2))
    done = run(home, "install", "claude-code", "--replace", "--set", "PORT=0")
    assert done.returncode == 1 and "claude: not so" in done.stdout
    assert json.loads(file.read_text()) == before


@pytest.mark.posix
def test_what_the_clients_own_program_says_is_told(home: Path) -> None:
    program = home.parent / "programs" / "claude"
    program.write_text("#!/bin/sh\necho 'no such luck' >&2\nexit 3\n")
    program.chmod(0o755)
    done = run(home, "install", "claude-code")
    assert done.returncode == 1 and "no such luck" in done.stdout
    assert not (home / ".claude.json").exists()
