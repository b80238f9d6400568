"""`llama-mcp tokens`: a token is shown once, and the file says who may call."""

import json
import re
import subprocess
import sys
from pathlib import Path

from llama_mcp.tokens.entry import digest_of
from llama_mcp.tokens.reading import read_tokens
from tests.cli.running import modules_imported, run
from tests.support.client_process import LlamaMCP


def test_a_token_is_added_listed_and_removed(llama_mcp: LlamaMCP, tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    at = ("--tokens", str(file))
    limits = ("--file-dir", str(tmp_path), "--turns-at-once", "2")
    added = run(llama_mcp, "tokens", "add", "ann", "--scope", "operate", *limits, *at)
    assert added.returncode == 0 and "shown this once" in added.stderr
    token = added.stdout.strip()
    assert re.fullmatch(r"[\w-]{43}", token)
    assert read_tokens(file)[0].digests == (digest_of(token),)
    assert run(llama_mcp, "tokens", "add", "bob", *at).returncode == 0
    listed = run(llama_mcp, "tokens", "list", *at)
    first, second = listed.stdout.splitlines()
    assert first.startswith("ann: scope operate, file_dirs ") and "turns_at_once 2" in first
    assert second == "bob: scope chat" and token not in listed.stdout
    as_json = json.loads(run(llama_mcp, "tokens", "list", "--json", *at).stdout)
    assert [entry["name"] for entry in as_json["entries"]] == ["ann", "bob"]
    assert run(llama_mcp, "tokens", "remove", "ann", *at).returncode == 0
    assert run(llama_mcp, "tokens", "list", *at).stdout == "bob: scope chat\n"


def test_what_cannot_be_done_is_said_and_changes_nothing(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    at = ("--tokens", str(tmp_path / "tokens.toml"))
    missing = run(llama_mcp, "tokens", "list", *at)
    assert missing.returncode == 1 and "cannot be read" in missing.stderr
    assert run(llama_mcp, "tokens", "add", "ann", *at).returncode == 0
    again = run(llama_mcp, "tokens", "add", "ann", *at)
    assert again.returncode == 1 and "ann has an entry already" in again.stderr
    assert again.stdout == ""
    assert run(llama_mcp, "tokens", "add", "bob").returncode == 2
    assert run(llama_mcp, "tokens").returncode == 2


def test_options_of_http_need_an_address(llama_mcp: LlamaMCP) -> None:
    alone = run(llama_mcp, "serve", "--hosts", "x")
    assert alone.returncode == 2 and "go with --http" in alone.stderr


def test_tokens_wait_for_nothing_that_serves(llama_mcp: LlamaMCP, tmp_path: Path) -> None:
    run(llama_mcp, "tokens", "add", "ann", "--tokens", str(tmp_path / "t"))
    modules = modules_imported(llama_mcp, ["tokens", "list", "--tokens", str(tmp_path / "t")])
    assert {"mcp", "starlette", "uvicorn", "anyio", "psutil"} & modules.keys() == set()


def test_serving_stdio_imports_nothing_of_ours_that_serves_http() -> None:
    program = (
        "import sys, llama_mcp.cli.serve, llama_mcp.surface.server, "
        "llama_mcp.surface.stdio.serving; print(*sys.modules)"
    )
    imported = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "llama_mcp.surface.server" in imported
    assert not [each for each in imported if each.startswith("llama_mcp.surface.http")]
