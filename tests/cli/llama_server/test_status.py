"""`llama-mcp status`, `stop` and `logs` as the installed command."""

import json
from pathlib import Path

import pytest

from tests.cli.running import run, terminal
from tests.support.client_process import LlamaMCP
from tests.support.processes import until_all_leave

LOOKS = [
    ["status"],
    ["status", "--json"],
    ["sessions"],
    ["sessions", "search", "apples"],
    ["sessions", "--json"],
    ["models"],
    ["models", "list", "--json"],
    ["logs"],
    ["logs", "--json"],
]
LINGERS = "60"


@pytest.mark.parametrize("command", LOOKS, ids=" ".join)
def test_looking_makes_no_archive_and_starts_nothing(
    llama_mcp: LlamaMCP, tmp_path: Path, command: list[str]
) -> None:
    done = run(llama_mcp, *command)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    made = {path.name for path in llama_mcp.home.rglob("*") if path.is_file()}
    # What headers say is remembered, so that they are not read again.
    assert made <= {"model-facts.json"}


@pytest.mark.parametrize("command", [each for each in LOOKS if "--json" in each], ids=" ".join)
def test_json_is_one_document_and_nothing_else(llama_mcp: LlamaMCP, command: list[str]) -> None:
    done = run(llama_mcp, *command)
    assert isinstance(json.loads(done.stdout), dict)
    assert done.stderr == ""


async def test_a_running_llama_server_is_shown_followed_and_stopped(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    lingering = llama_mcp.having(LINGER_SECONDS=LINGERS)
    asked = run(lingering, "chat", "hello", "--max-tokens", "8")
    assert asked.returncode == 0, asked.stderr
    seen = json.loads(run(lingering, "status", "--json").stdout)
    assert seen["status"]["state"] == "ready" and seen["status"]["model"] == "tiny"
    assert {"port", "pid", "memory_bytes", "engine"} <= seen["status"].keys()
    assert [slot["id"] for slot in seen["slots"]] == [0, 1, 2, 3]
    assert seen["metrics"]["generated_tokens_total"] > 0
    shown = run(lingering, "status").stdout
    assert shown.startswith("ready  tiny\n") and "slot 3 [" in shown
    log = run(lingering, "logs", "-n", "5")
    assert log.returncode == 0 and len(log.stdout.splitlines()) == 5
    assert len(json.loads(run(lingering, "logs", "-n", "5", "--json").stdout)["lines"]) == 5
    stopped = run(lingering, "stop", "--json")
    assert json.loads(stopped.stdout)["state"] == "stopped"
    again = run(lingering, "stop")
    assert again.returncode == 0 and "No llama-server is running" in again.stdout
    await until_all_leave(tmp_path, "llama-server has left")


def test_an_unknown_model_is_no_traceback(llama_mcp: LlamaMCP) -> None:
    for command in ("status", "stop", "logs"):
        done = run(llama_mcp, command, "no-such-model")
        assert done.returncode == 1
        assert "no-such-model" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.posix
def test_stopping_what_somebody_uses_needs_force(llama_mcp: LlamaMCP) -> None:
    with terminal(llama_mcp, "chat", "--max-tokens", "4") as shown:
        shown.enter("hello")
        shown.wait_for(">>> ")
        refused = run(llama_mcp, "stop")
        assert refused.returncode == 1
        assert "Run `llama-mcp stop --force`" in refused.stderr
        assert run(llama_mcp, "stop", "--force").returncode == 0
        shown.type("\x04")
        assert shown.exit_code() == 0


@pytest.mark.posix
def test_watching_draws_again_and_leaves_the_terminal_clean(llama_mcp: LlamaMCP) -> None:
    with terminal(llama_mcp, "status", "--watch", columns=30, rows=5) as shown:
        shown.wait_for("\x1b[?1049h\x1b[?25l")
        first = shown.wait_for("\x1b[J")
        shown.wait_for("\x1b[J")
        shown.resize(20, 2)
        shown.wait_for("\x1b[J")
        shown.type("\x03")
        assert shown.exit_code() == 130
    assert "stopped" in first and first.count("\r\n") < 5
    assert shown.shown.endswith("\x1b[?25h\x1b[?1049l") or shown.text.endswith("^C")
    assert "\x1b[?25h\x1b[?1049l" in shown.shown


def test_watching_without_a_terminal_is_refused(llama_mcp: LlamaMCP) -> None:
    done = run(llama_mcp, "status", "--watch")
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs a terminal" in done.stderr


@pytest.mark.posix
def test_a_followed_log_goes_on_with_the_next_launch(llama_mcp: LlamaMCP) -> None:
    with terminal(llama_mcp, "logs", "-f", columns=400) as shown:
        shown.wait_for("its log comes when one is")
        assert run(llama_mcp, "chat", "hello", "--max-tokens", "4").returncode == 0
        shown.wait_for("==> ")
        shown.wait_for("print_timing")
        shown.type("\x03")
        assert shown.exit_code() == 130
