"""What findings are made of figures that no test machine has."""

from pathlib import Path

import pytest

from llama_mcp.cli.doctor.checks.home import look_at_folder, warning_of
from llama_mcp.cli.doctor.checks.runs import judged as judged_run
from llama_mcp.cli.doctor.checks.space import judged as judged_space
from llama_mcp.cli.doctor.checks.workers import judged as judged_worker
from llama_mcp.cli.doctor.findings import Level
from llama_mcp.cli.secrets import HIDDEN, shown_variable, without_secrets
from llama_mcp.llama_server.engine.capabilities import Capabilities, Flag
from llama_mcp.llama_server.left_over import LiveRun
from llama_mcp.llama_server.rehearsing import what_is_missing
from llama_mcp.llama_server.status import ServerState, WorkerStatus

HOME = Path("/home/u/llama-mcp")


def run(
    state: ServerState = ServerState.READY,
    *,
    clients: int = 0,
    linger_seconds: float = 300,
    is_kept: bool = True,
) -> LiveRun:
    return LiveRun(
        HOME / "runs" / "1", "tiny", state, 8080, (7, 8), clients, linger_seconds, is_kept
    )


def test_an_rpc_worker_that_does_not_answer_is_a_fault_and_a_busy_one_is_none() -> None:
    gone = WorkerStatus(address="10.0.0.2:1", reachable=False, problem="nothing listens there")
    busy = WorkerStatus(address="10.0.0.2:1", reachable=True, problem="it serves tiny")
    assert judged_worker(gone).level is Level.FAULT
    assert judged_worker(gone).text == "RPC worker 10.0.0.2:1: nothing listens there."
    assert judged_worker(busy).level is Level.OK
    quick = WorkerStatus(address="10.0.0.2:1", reachable=True, round_trip_ms=0.31)
    assert judged_worker(quick).text == "RPC worker 10.0.0.2:1 answers, round trip 0.3 ms"


@pytest.mark.parametrize(
    ("free_bytes", "level"),
    [(2**20, Level.FAULT), (2**29, Level.WARNING), (2**32, Level.OK)],
)
def test_little_room_is_a_warning_and_hardly_any_a_fault(free_bytes: int, level: Level) -> None:
    assert judged_space(HOME, free_bytes).level is level


def test_a_home_on_a_network_is_warned_of() -> None:
    [finding] = warning_of(HOME, "nfs4")
    assert finding.level is Level.WARNING and "(nfs4)" in finding.text
    assert warning_of(HOME, "ext4") == warning_of(HOME, None) == []


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    findings = look_at_folder(tmp_path / "a" / "b")
    assert findings[0].text == f"{tmp_path / 'a' / 'b'} will be made when it is first needed"
    assert not (tmp_path / "a").exists()


def test_a_folder_that_was_probed_is_as_it_was(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    [finding] = look_at_folder(home)
    assert finding.text == f"{home} is writable, and its locks work"
    assert not list(home.iterdir())


def test_a_llama_server_that_is_used_or_waits_for_its_next_user_is_well() -> None:
    used = judged_run(run(clients=2))
    assert used.text == "tiny (ready, pids 7, 8, port 8080), used by 2 llama-mcp"
    waiting = judged_run(run())
    assert waiting.level is Level.OK and "kept 5 min for the next" in waiting.text


def test_a_llama_server_that_is_kept_for_ever_is_warned_of() -> None:
    assert judged_run(run(linger_seconds=-1)).level is Level.WARNING


def test_a_llama_server_that_does_not_answer_is_a_fault() -> None:
    assert judged_run(run(ServerState.UNRESPONSIVE)).level is Level.FAULT


def test_a_llama_server_without_its_keeper_is_a_fault() -> None:
    finding = judged_run(run(is_kept=False))
    assert finding.level is Level.FAULT and "its keeper is gone" in finding.text


def test_a_build_without_flags_is_told_what_it_lacks() -> None:
    names = ("--model", "--slot-save-path", "--embeddings", "--jinja", "--metrics", "--slots")
    flags = {name: Flag((name,), "", "") for name in (*names, "--list-devices", "--cors-origins")}
    assert what_is_missing(Capabilities("1", flags)) == (
        "no --mmproj: no model can see or hear",
        "no --reranking: no rerank model can rank texts",
    )


def test_values_behind_secret_names_are_hidden() -> None:
    shown = without_secrets(["--api-key", "abc", "-t", "1", "--hf-token=x", "--no-auth", "--jinja"])
    assert shown == ["--api-key", HIDDEN, "-t", "1", f"--hf-token={HIDDEN}", "--no-auth", "--jinja"]
    assert shown_variable("GITHUB_TOKEN", "abc") == HIDDEN
    assert shown_variable("LLAMA_MCP_API_KEY", "auto") == "auto"
    assert shown_variable("LLAMA_MCP_API_KEY", "sk-abc") == HIDDEN
    assert shown_variable("LLAMA_MCP_EXTRA_ARGS", "-t 1 --api-key k") == f"-t 1 --api-key {HIDDEN}"
    assert shown_variable("HTTPS_PROXY", "http://u:p@host:1/") == f"http://{HIDDEN}@host:1/"
