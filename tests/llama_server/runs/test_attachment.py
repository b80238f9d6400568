"""What a process has of runs: their states, and connections that several turns share."""

import logging
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from llama_mcp.keeper import run_dir
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.runs import ports
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.creating import create_run
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.start_lock import StartLock
from llama_mcp.llama_server.status import ServerState
from tests.llama_server.runs.launches import launch_of, launched
from tests.support.processes import PATIENCE_SECONDS

SERVER = """
import http.server as h
h.SimpleHTTPRequestHandler.protocol_version = "HTTP/1.1"
h.ThreadingHTTPServer(("127.0.0.1", {port}), h.SimpleHTTPRequestHandler).serve_forever()
"""


async def test_turns_that_come_at_once_to_a_run_that_has_come_back_share_one_connection(
    lock: StartLock, attachment: Attachment
) -> None:
    port = ports.find_free()
    before = await launched(lock, launch_of(SERVER.format(port=port), port=port))
    old = await attachment.connect(before)
    with anyio.fail_after(PATIENCE_SECONDS):
        while (await old.look("/"))[0] == 0:  # then a connection is open, which takes its time
            await anyio.sleep(0.02)
    run = await launched(lock, launch_of())
    clients: list[LlamaServerClient] = []

    async def connect() -> None:
        clients.append(await attachment.connect(run))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(connect)
    assert len({*map(id, clients)}) == 1 and clients[0] is not old
    assert await attachment.connect(run) is clients[0]


def ended(runs_dir: Path, model: str, *, ago: float, **changes: Any) -> Run:
    """Return a run that has ended; its processes are gone."""
    run = create_run(runs_dir, launch_of(alias=model, linger_seconds=-1))
    gone = {"pid": 2**22 + 1, "start": "0"}
    how = {"exit_code": 0, "signal": None, "was_asked_to": True, "at": time.time() - ago}
    state = {"keeper": gone, "llama_server": gone, "exit": how | changes}
    run_dir.write_whole(str(run.folder / run_dir.STATE), state)
    return run


async def test_a_home_that_remembers_many_models_has_each_logged_once_however_often_it_is_looked_at(
    runs_dir: Path, attachment: Attachment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for number in range(12):
        ended(runs_dir, f"model-{number}", ago=5)
    for _ in range(3):
        assert len(await attachment.states()) == 12
    assert len(caplog.records) == 12


async def test_records_are_read_again_unless_they_can_say_nothing_new(
    runs_dir: Path, attachment: Attachment
) -> None:
    runs = {
        "long over": ended(runs_dir, "long over", ago=100),
        "just over": ended(runs_dir, "just over", ago=5),
        "unloaded": ended(runs_dir, "unloaded", ago=100, reason=run_dir.IDLE),
    }
    before = {each.run.launch.alias: each.state for each in await attachment.readable_states()}
    assert before["unloaded"] is ServerState.IDLE
    for run in runs.values():
        how = {"exit_code": 3, "signal": None, "was_asked_to": False, "at": time.time()}
        state = run.state()
        assert state is not None
        run_dir.write_whole(
            str(run.folder / run_dir.STATE), state.model_dump(mode="json") | {"exit": how}
        )
    after = {each.run.launch.alias: each.state for each in await attachment.readable_states()}
    assert after == {
        "long over": ServerState.STOPPED,
        "just over": ServerState.CRASHED,
        "unloaded": ServerState.CRASHED,
    }
