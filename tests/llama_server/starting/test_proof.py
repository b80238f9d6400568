"""Whether what answers is the llama-server that was started, and what is said when it is not."""

import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from llama_mcp.keeper import identity, run_dir
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.runs.creating import create_run
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.starting import proof
from llama_mcp.llama_server.starting.proof import Doubt
from tests.fake_llama_server.install import install_fake, set_faults
from tests.fake_llama_server.running import Server, ready
from tests.llama_server.runs.launches import SLEEPER, launch_of

pytestmark = pytest.mark.posix  # a batch file is not the process that listens


@pytest.fixture
def server(fake_folder: Path) -> Iterator[Server]:
    with ready(install_fake(fake_folder), "--alias", "small") as server:
        yield server


def recorded(runs_dir: Path, pid: int, **launch: Any) -> Run:
    """Return a run whose record says that this process is its llama-server."""
    run = create_run(runs_dir, launch_of(**launch))
    process = {"pid": pid, "start": identity.process_start(pid)}
    state = {"keeper": process, "llama_server": process}
    run_dir.write_whole(str(run.folder / run_dir.STATE), state)
    return run


@asynccontextmanager
async def connected(run: Run) -> AsyncIterator[LlamaServerClient]:
    client = LlamaServerClient(run.launch.url, run.launch.api_key)
    try:
        yield client
    finally:
        await client.aclose()


async def proved(run: Run) -> dict[str, Any] | Doubt:
    async with connected(run) as client:
        return await proof.prove(run, client)


async def test_the_process_that_was_started_with_the_model_that_was_passed_is_proved(
    server: Server, runs_dir: Path
) -> None:
    run = recorded(runs_dir, server.process.pid, port=server.port)
    found = await proved(run)
    assert isinstance(found, dict) and found["model_alias"] == "small"


@pytest.mark.parametrize(
    ("faults", "said", "is_certain"),
    [
        ({"props": {"model_alias": "x"}}, "names its model 'x', and --alias 'small'", True),
        ({"props": {"model_alias": "", "model_path": "/x"}}, "names its model '/x', and -m", True),
        ({"props": {"role": "router"}}, "runs as a router", True),
        ({"answers": {"/props": {"code": 401}}}, "does not take the API key", True),
        ({"answers": {"/props": {"code": 404}}}, "/props (HTTP 404)", True),
        ({"answers": {"/props": {"code": 200, "body": []}}}, "/props (HTTP 200)", True),
        ({"answers": {"/props": {"code": 500}}}, "/props gives HTTP 500", False),
    ],
)
async def test_what_differs_is_said(
    server: Server,
    runs_dir: Path,
    fake_folder: Path,
    faults: dict[str, Any],
    said: str,
    is_certain: bool,
) -> None:
    run = recorded(runs_dir, server.process.pid, port=server.port)
    set_faults(fake_folder, **faults)
    found = await proved(run)
    assert isinstance(found, Doubt) and said in found.what
    assert found.is_certain is is_certain and bool(found.advice) is is_certain


async def test_a_port_that_another_process_holds_is_told_with_its_pid_and_ours(
    server: Server, runs_dir: Path
) -> None:
    async with await anyio.open_process([sys.executable, "-c", SLEEPER]) as silent:
        try:
            run = recorded(runs_dir, silent.pid, port=server.port)
            found = await proved(run)
        finally:
            silent.kill()
    assert isinstance(found, Doubt) and found.is_certain
    assert f"pid {server.process.pid};" in found.what and f"(pid {silent.pid})" in found.what
    assert "port=0" in found.advice


async def test_only_503_from_health_is_loading(server: Server, runs_dir: Path) -> None:
    run = recorded(runs_dir, server.process.pid, port=server.port)
    async with connected(run) as client:
        assert await proof.odd_health(503, run, client) is None
        for status, is_certain in ((404, True), (302, True), (500, False), (502, False)):
            found = await proof.odd_health(status, run, client)
            assert found is not None and f"HTTP {status}" in found.what
            assert found.is_certain is is_certain


def test_silence_is_no_doubt_while_nothing_says_that_it_listens(runs_dir: Path) -> None:
    assert proof.why_silent(recorded(runs_dir, os.getpid())) is None


def test_one_that_listens_elsewhere_is_told_with_its_addresses(runs_dir: Path) -> None:
    run = recorded(runs_dir, os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        port = elsewhere.getsockname()[1]
        found = proof.why_silent(run)
        assert found is not None and f"it listens on 127.0.0.1 port {port}" in found.what
        assert not found.is_certain
        run.log_path.write_text("I srv  llama_server: listening on http://0.0.0.0:1\n")
        found = proof.why_silent(run)
        assert found is not None and found.is_certain and str(run.launch.port) in found.what


def test_one_whose_log_says_that_it_listens_where_nothing_does_is_told_so(runs_dir: Path) -> None:
    run = recorded(runs_dir, os.getpid())
    run.log_path.write_text("main: server is listening on http://10.0.0.1:80\n")
    found = proof.why_silent(run)
    assert found is not None and "listening on http://10.0.0.1:80" in found.what
