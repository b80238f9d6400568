"""llama-server as a tree of processes: scripts around it, each of them killed in turn."""

import shlex
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from llama_mcp.llama_server.runs import members, ports
from tests.conftest import REAL_LLAMA_CPPS
from tests.fake_llama_server.install import install_fake
from tests.fake_llama_server.running import Server, ready
from tests.faults.victims import (
    Process,
    current_run,
    is_alive,
    process,
    start_model,
    until_nothing_is_left,
)
from tests.faults.wrappers import BRINGING_BACK, LEAVING, STAYING, write_wrapper
from tests.support.client_process import LlamaMCP
from tests.support.processes import until
from tests.support.raw_client import RawClient, raw_client

pytestmark = pytest.mark.posix
SIGSTOP = 19  # on Linux; Windows does not know the name


@pytest.fixture(
    params=[
        "fake",
        *(pytest.param(path, id="real", marks=pytest.mark.slow) for path in REAL_LLAMA_CPPS),
    ]
)
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What the wrappers are around."""
    if request.param == "fake":
        return install_fake(tmp_path / "fake")
    return Path(request.param) / "llama-server"


@pytest.fixture
def bystander(tmp_path: Path) -> Iterator[Server]:
    """A llama-server that somebody else has started."""
    with ready(install_fake(tmp_path / "bystander")) as server:
        yield server


@pytest.fixture(scope="module")
async def shared_client(shared_llama_mcp: LlamaMCP) -> AsyncIterator[RawClient]:
    async with raw_client(shared_llama_mcp) as client:
        await client.hello()
        yield client


@pytest.fixture
async def client(shared_client: RawClient, shared_llama_mcp: LlamaMCP) -> AsyncIterator[RawClient]:
    """A client that finds no llama-server, and leaves none."""
    yield shared_client
    await shared_client.call("stop_llama_server", force=True)
    await until_nothing_is_left(shared_llama_mcp.home)


def wrapped(llama_mcp: LlamaMCP, tmp_path: Path, real: Path, body: str) -> LlamaMCP:
    wrapper = write_wrapper(tmp_path / "wrapper", real, body)
    return llama_mcp.having(LLAMA_CPP_PATH=str(wrapper))


async def start_wrapped(client: RawClient, tmp_path: Path, real: Path, body: str) -> None:
    wrapper = write_wrapper(tmp_path / "wrapper", real, body)
    await start_model(client, llama_cpp_path=str(wrapper))


def family(home: Path) -> list[Process]:
    """Return what the keeper of the current run has below it."""
    state = current_run(home).state()
    assert state is not None
    return [process(pid) for pid in members.pids_of(state)]


def real_one(home: Path) -> Process:
    """Return the process that listens."""
    port = str(current_run(home).launch.port)
    found = []
    for each in family(home):
        with suppress(psutil.NoSuchProcess):  # a wrapper's helpers come and go
            arguments = psutil.Process(each.pid).cmdline()
            if port in arguments and not arguments[0].endswith("sh"):
                found.append(each)
    assert found, "no process below the keeper is llama-server"
    return found[-1]


def victim_of(home: Path, client: RawClient, name: str) -> Process:
    state = current_run(home).state()
    assert state is not None and state.llama_server is not None
    pids = {
        "llama-mcp": client.process.pid,
        "guard": psutil.Process(state.keeper.pid).ppid(),
        "keeper": state.keeper.pid,
        "wrapper": state.llama_server.pid,
        "llama-server": real_one(home).pid,
    }
    return process(pids[name])


async def until_gone(home: Path, family: list[Process]) -> None:
    await until(lambda: not any(map(is_alive, family)), "all that the wrapper has started ends")
    await until_nothing_is_left(home)


async def chat(client: RawClient) -> dict[str, Any]:
    result = await client.call("chat", message="Hello", max_tokens=4)
    assert not result.get("isError"), result["content"][0]["text"]
    structure: dict[str, Any] = result["structuredContent"]
    return structure


@pytest.mark.parametrize("body", STAYING.values(), ids=STAYING)
async def test_a_wrapper_is_used_and_stopped_like_llama_server_itself(
    client: RawClient,
    shared_llama_mcp: LlamaMCP,
    tmp_path: Path,
    real: Path,
    body: str,
    bystander: Server,
) -> None:
    home = shared_llama_mcp.home
    await start_wrapped(client, tmp_path, real, body)
    assert (await chat(client))["status"] == "complete"
    everybody = family(home)
    status = (await client.call("status"))["structuredContent"]
    listening = psutil.Process(real_one(home).pid).memory_info().rss
    assert status["memory_bytes"] > 0.9 * listening
    stopped = (await client.call("stop_llama_server"))["structuredContent"]
    assert stopped["state"] == "stopped"
    assert not any(map(is_alive, everybody))
    await until_gone(home, everybody)
    assert bystander.health() == 200


VICTIMS = ("llama-mcp", "guard", "keeper", "wrapper", "llama-server")
# Of the other kinds, those that differ by what the script does.
OF_EVERY_KIND = ("keeper", "wrapper")


@pytest.mark.parametrize(
    ("real", "kind", "victim"),
    [
        *(("fake", kind, victim) for kind in STAYING for victim in OF_EVERY_KIND),
        *(("fake", "no exec", victim) for victim in VICTIMS if victim not in OF_EVERY_KIND),
        *((path, "double fork", victim) for path in REAL_LLAMA_CPPS for victim in VICTIMS),
    ],
    indirect=["real"],
)
@pytest.mark.slow
async def test_whatever_is_killed_nothing_is_left_and_the_next_start_works(
    llama_mcp: LlamaMCP, tmp_path: Path, real: Path, kind: str, victim: str, bystander: Server
) -> None:
    having = wrapped(llama_mcp, tmp_path, real, STAYING[kind])
    async with raw_client(having) as client:
        await client.hello()
        await start_model(client)
        everybody = family(having.home)
        assert victim_of(having.home, client, victim).kill()
    # A wrapper may well live on without its llama-server; it ends with the last client.
    await until_gone(having.home, everybody)
    async with raw_client(having) as client:
        await client.hello()
        await start_model(client)
    await until_nothing_is_left(having.home)
    assert bystander.health() == 200


# What has dropped its environment is proved by nobody but its keeper.
@pytest.mark.parametrize("kind", [kind for kind in STAYING if kind != "no environment"])
async def test_what_keeper_and_guard_leave_when_both_are_killed_is_ended_by_the_next_look(
    client: RawClient, shared_llama_mcp: LlamaMCP, tmp_path: Path, kind: str
) -> None:
    home = shared_llama_mcp.home
    start = partial(start_wrapped, client, tmp_path, install_fake(tmp_path / "fake"), STAYING[kind])
    await start()
    everybody = family(home)
    guard, keeper = (victim_of(home, client, name) for name in ("guard", "keeper"))
    # So that neither can heed the other's end.
    assert guard.signal(SIGSTOP) and keeper.signal(SIGSTOP)
    assert guard.kill() and keeper.kill()
    await until(lambda: not (is_alive(guard) or is_alive(keeper)), "both are gone")
    assert (await client.call("status"))["structuredContent"]["state"] == "crashed"
    assert not any(map(is_alive, everybody))
    await start()


@pytest.mark.parametrize("body", LEAVING.values(), ids=LEAVING)
async def test_a_wrapper_that_goes_into_the_background_is_told_so_and_leaves_nothing(
    client: RawClient, shared_llama_mcp: LlamaMCP, tmp_path: Path, real: Path, body: str
) -> None:
    wrapper = write_wrapper(tmp_path / "wrapper", real, body)
    result = await client.call("start_llama_server", llama_cpp_path=str(wrapper))
    assert result["isError"]
    text = result["content"][0]["text"]
    assert "ended at once without an error" in text
    assert "puts llama-server into the background cannot be looked after" in text
    assert 'exec llama-server "$@"' in text
    await until_nothing_is_left(shared_llama_mcp.home)


@pytest.fixture
def container_engine(tmp_path: Path) -> Iterator[str]:
    """The command that has another process, which is nobody's child here, start a program."""
    program = [sys.executable, str(Path(__file__).with_name("container_engine_program.py"))]
    # Not in tmp_path: the path of a socket has room for some hundred characters only.
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/socket"
        with subprocess.Popen([*program, "serve", socket], stdout=subprocess.PIPE) as engine:
            assert engine.stdout is not None
            assert engine.stdout.readline() == b"up\n"
            yield shlex.join([*program, "run", socket])
            for started in psutil.Process(engine.pid).children(recursive=True):
                started.kill()
            engine.kill()


@pytest.fixture
async def in_a_container(
    llama_mcp: LlamaMCP, tmp_path: Path, real: Path, container_engine: str
) -> AsyncIterator[tuple[LlamaMCP, RawClient]]:
    """A client whose llama-server is ready, and no process below its keeper."""
    having = wrapped(llama_mcp, tmp_path, real, f'exec {container_engine} "$REAL" "$@"')
    async with raw_client(having) as client:
        await client.hello()
        await start_model(client)
        yield having, client


async def test_a_server_that_a_container_engine_runs_is_proved_by_its_tag_and_used(
    in_a_container: tuple[LlamaMCP, RawClient],
) -> None:
    having, client = in_a_container
    assert (await chat(client))["status"] == "complete"
    port = current_run(having.home).launch.port
    assert not ports.owner_of(port, members.pids_of(current_run(having.home).state())).is_ours
    stopped = (await client.call("stop_llama_server"))["structuredContent"]
    assert stopped["state"] == "stopped"
    await until(lambda: ports.is_free(port), "the container ends")


async def test_a_server_outside_that_outlives_its_wrapper_is_told_and_left_alone(
    in_a_container: tuple[LlamaMCP, RawClient],
) -> None:
    having, client = in_a_container
    everybody, port = family(having.home), current_run(having.home).launch.port
    # It cannot pass on any more that llama-server is to end.
    assert all(each.kill() for each in everybody)
    await until(lambda: not any(map(is_alive, everybody)), "the wrapper ends")
    for tool in ("stop_llama_server", "start_llama_server"):
        result = await client.call(tool)
        assert result["isError"]
        text = result["content"][0]["text"]
        assert f"still answers at http://127.0.0.1:{port}" in text
        assert "no process of ours" in text
    assert not ports.is_free(port)


@pytest.mark.parametrize("kind", ["deaf", "double fork"])
async def test_a_llama_server_that_ends_below_a_wrapper_that_lives_on_is_a_crash_and_comes_back(
    client: RawClient, shared_llama_mcp: LlamaMCP, tmp_path: Path, real: Path, kind: str
) -> None:
    home = shared_llama_mcp.home
    await start_wrapped(client, tmp_path, real, STAYING[kind])
    everybody, ended = family(home), real_one(home)
    assert ended.kill()
    await until(lambda: not is_alive(ended), "llama-server is gone")
    status = (await client.call("status"))["structuredContent"]
    assert status["state"] == "crashed"
    assert "lives on" in status["message"]
    reply = await chat(client)
    assert any("started again after a crash" in note for note in reply["notes"])
    assert not any(map(is_alive, everybody))
    assert (await client.call("status"))["structuredContent"]["state"] == "ready"
    assert real_one(home).kill()
    stopped = (await client.call("stop_llama_server"))["structuredContent"]
    assert stopped["state"] == "stopped"


async def test_a_llama_server_that_its_wrapper_brings_back_is_no_crash(
    client: RawClient, shared_llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    home = shared_llama_mcp.home
    await start_wrapped(client, tmp_path, install_fake(tmp_path / "fake"), BRINGING_BACK)
    wrapper, ended = victim_of(home, client, "wrapper"), real_one(home)
    port = current_run(home).launch.port
    assert ended.kill()
    await until(lambda: not is_alive(ended), "llama-server is gone")
    await until(lambda: not ports.is_free(port), "its wrapper has brought it back")
    assert (await client.call("status"))["structuredContent"]["pid"] == wrapper.pid
