"""Which of the models that run may be stopped for another one."""

from dataclasses import replace
from pathlib import Path

import pytest

from llama_mcp.llama_server.choosing.room import Resident, refusal_of
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.status import ServerState
from llama_mcp.llama_server.use import Use
from tests.llama_server.runs.launches import launch_of


def resident(tmp_path: Path, *, keep: bool = False) -> Resident:
    run = Run(tmp_path, launch_of(keep=keep))
    return Resident(RunState(run, ServerState.READY, None, None), 100.0, (), ())


def test_a_model_that_nobody_uses_makes_room_once_it_was_quiet_for_long_enough(
    tmp_path: Path,
) -> None:
    quiet = resident(tmp_path)
    assert refusal_of(quiet, 100) is None and refusal_of(quiet, 0) is None
    refusal = refusal_of(quiet, 160)
    assert refusal is not None and refusal.waiting_seconds == 60
    assert refusal.why == "was used 100 s ago, and makes room 3 min after its use"


@pytest.mark.parametrize("after", [0.0, 60.0])
def test_a_model_that_is_used_or_kept_never_makes_room(tmp_path: Path, after: float) -> None:
    quiet = resident(tmp_path)
    used = replace(quiet, others=(Use(pid=4711),))
    refusal = refusal_of(used, after)
    assert refusal is not None and "another llama-mcp process (pid 4711)" in refusal.why
    used = replace(quiet, others=(Use(pid=4711, seconds=5), Use(seconds=70)))
    refusal = refusal_of(used, after)
    assert refusal is not None
    assert refusal.why.endswith("(pid 4711 asked last 5 s ago; it asked last 70 s ago)")
    assert refusal.waiting_seconds is None
    busy = replace(quiet, generating=(Use(session="2222 (Hello)", pid=1),))
    refusal = refusal_of(busy, after)
    assert refusal is not None and "session 2222 (Hello) generates" in refusal.why
    assert refusal.waiting_seconds == after  # it is quiet for so long afterwards
    left = replace(quiet, generating=(Use(session="2222 (Hello)", is_left=True),))
    refusal = refusal_of(left, after)
    assert refusal is not None and refusal.waiting_seconds == 0
    promised = refusal_of(replace(quiet, is_promised=True), after)
    assert promised is not None and "a call of this llama-mcp has just begun" in promised.why
    by_others = refusal_of(replace(quiet, busy_slots=2), after)
    assert by_others is not None and "2 replies are being generated" in by_others.why
    refusal = refusal_of(resident(tmp_path, keep=True), after)
    assert refusal is not None and refusal.why == "is kept (keep = true)"
    loading = replace(quiet, state=replace(quiet.state, state=ServerState.STARTING))
    refusal = refusal_of(loading, after)
    assert refusal is not None and refusal.why == "is loading"


def test_no_model_makes_room_where_the_operator_forbids_it(tmp_path: Path) -> None:
    refusal = refusal_of(resident(tmp_path), -1)
    assert refusal is not None and refusal.waiting_seconds is None
    assert "LLAMA_MCP_SWAP_AFTER_SECONDS=-1" in refusal.why
