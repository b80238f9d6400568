"""`llama-mcp models` as the installed command, with a hub on loopback."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.running import run, terminal
from tests.support.client_process import LlamaMCP
from tests.support.fake_hub import FakeHub, fake_hub

REPO = "someone/Tiny-GGUF"
FILE = "Tiny-Q4_K_M.gguf"


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as hub:
        yield hub


@pytest.fixture
def pulling(llama_mcp: LlamaMCP, hub: FakeHub, tmp_path: Path, tiny_model: Path) -> LlamaMCP:
    """A llama-mcp whose hub has the tiny model."""
    hub.add(REPO, tmp_path / "hub", {FILE: tiny_model})
    return replace(llama_mcp, variables=llama_mcp.variables | {"HF_ENDPOINT": hub.endpoint})


def test_a_pulled_model_is_listed_and_chats(pulling: LlamaMCP) -> None:
    done = run(pulling, "models", "pull", REPO, "--json")
    assert done.returncode == 0, done.stderr
    download = json.loads(done.stdout)
    assert download["state"] == "complete" and Path(download["model_path"]).is_file()
    listed = json.loads(run(pulling, "models", "list", "huggingface", "--json").stdout)
    (row,) = listed["models"]
    assert {"model", "fits", "needs_bytes", "size_bytes", "source"} <= row.keys()
    shown = run(pulling, "models").stdout
    assert row["model"] in shown and "FITS" in shown.splitlines()[0]
    asked = run(pulling, "chat", "-m", row["model"], "hello", "--max-tokens", "4")
    assert asked.returncode == 0, asked.stderr


@pytest.mark.posix
def test_ctrl_c_leaves_what_came_and_the_same_command_goes_on(
    pulling: LlamaMCP, hub: FakeHub
) -> None:
    hub.pause_at = 200_000
    with terminal(pulling, "models", "pull", REPO) as shown:
        shown.wait_for("[##")
        shown.type("\x03")
        shown.wait_for("What has come is kept")
        assert shown.exit_code() == 130
    hub.go_on.set()
    hub.pause_at = None
    done = run(pulling, "models", "pull", REPO)
    assert done.returncode == 0, done.stderr
    assert "is complete" in done.stdout
    assert hub.fetches()[-1].first_byte > 0


def test_a_model_that_the_hub_does_not_have_is_told(pulling: LlamaMCP) -> None:
    done = run(pulling, "models", "pull", "nobody/nothing")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nobody/nothing" in done.stderr and "Traceback" not in done.stderr


def test_downloads_that_the_operator_forbids_are_refused(pulling: LlamaMCP) -> None:
    done = run(pulling.having(DOWNLOADS="false"), "models", "pull", REPO)
    assert done.returncode == 1
    assert "LLAMA_MCP_DOWNLOADS" in done.stderr


@pytest.mark.posix
@pytest.mark.parametrize("columns", [24, 50])
def test_a_table_of_models_fits_a_narrow_terminal(
    llama_mcp: LlamaMCP, tiny_model: Path, columns: int
) -> None:
    with terminal(llama_mcp, "models", columns=columns, NO_COLOR="1") as shown:
        assert shown.exit_code() == 0
    rows = [line for line in shown.shown.splitlines() if "cpu" in line or "MODEL" in line]
    assert rows and all(len(row) <= columns for row in rows)


def test_names_of_models_are_harmless(
    llama_mcp: LlamaMCP, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "evil\x1b[2J\u202e.gguf").write_bytes(tiny_model.read_bytes())
    shown = run(llama_mcp.having(MODEL_DIRS=str(folder)), "models").stdout
    assert "evil\\x1b[2J" in shown
    assert "\x1b" not in shown and "\u202e" not in shown
