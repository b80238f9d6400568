"""Loading that is slow, that fails, and that never ends."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.fake_llama_server.install import install_fake, recorded_launches, set_faults
from tests.support.client_process import Connection, LlamaMCP, Progress
from tests.support.processes import processes_of
from tests.support.quick import first_quick


@pytest.fixture(scope="module")
async def shared_connection(
    shared_llama_mcp: LlamaMCP, shared_fake: Path
) -> AsyncIterator[Connection]:
    """What is started with it has the faults that a test sets."""
    fake = install_fake(shared_fake)
    async with shared_llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        yield connection


async def test_loading_that_outlasts_the_wait_returns_starting_and_goes_on(
    connection: Connection, shared_fake: Path
) -> None:
    set_faults(shared_fake, load_held=True)
    progress = Progress()
    while not progress.values:  # a busy machine has not begun yet
        progress = Progress()
        started = await connection.call("start_llama_server", progress, wait_seconds=0.7)
        assert started["state"] == "starting"
    assert progress.rises
    assert (await connection.call("status"))["state"] == "starting"
    part = await connection.call("chat", message="Hello", wait_seconds=0)
    assert part["status"] == "in_progress" and "still loading" in part["notes"][0]
    # A chat waits for the model within its own limit.
    async with anyio.create_task_group() as tasks:

        async def chat() -> None:
            reply.update(await connection.call("chat", message="Hello"))

        reply: dict[str, Any] = {}
        tasks.start_soon(chat)
        await anyio.wait_all_tasks_blocked()  # its request is on its way before the next
        assert (await connection.call("status"))["state"] == "starting"
        set_faults(shared_fake)
    assert reply["reply"] == "The quick brown fox jumps over the lazy dog."
    assert (await connection.call("status"))["state"] == "ready"


async def test_a_model_that_never_loads_is_given_up_and_stopped(
    connection: Connection, shared_fake: Path
) -> None:
    set_faults(shared_fake, load_forever=True, log_lines=["loading tensors, 3 %"])
    refusal = await connection.refusal("start_llama_server", timeout_seconds=3)
    assert "was not ready within timeout_seconds=3 " in refusal
    assert "larger timeout_seconds" in refusal and "SIGTERM" not in refusal
    assert "loading tensors, 3 %" in refusal
    assert not processes_of(shared_fake)
    status = await connection.call("status")
    assert status["state"] == "stopped"
    assert "was not ready within timeout_seconds=3 " in status["last_exit"]["cause"]
    assert "larger timeout_seconds" in status["last_exit"]["advice"]


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"exit_during_load": 1, "log_lines": ["E load: unknown model architecture: 'x9'"]}, "x9"),
        pytest.param({"exit_during_load": 3}, "exit code 3", marks=pytest.mark.slow),
        pytest.param({"signal_during_load": 9}, "SIGKILL", marks=pytest.mark.slow),
        pytest.param({"signal_during_load": 4}, "SIGILL", marks=pytest.mark.slow),
    ],
)
async def test_a_death_while_loading_is_told_with_its_evidence(
    connection: Connection, shared_fake: Path, faults: dict[str, object], expected: str
) -> None:
    set_faults(shared_fake, load_seconds=0.3, **faults)
    refusal = await connection.refusal("start_llama_server")
    assert refusal.startswith("llama-server did not start")
    assert expected in refusal
    status = await connection.call("status")
    assert status["state"] == "crashed" and status["last_exit"]["advice"]
    assert "did not start" in await connection.refusal("chat", message="Hello")


async def test_a_stop_while_it_loads_ends_the_start_and_says_so(
    connection: Connection, shared_fake: Path
) -> None:
    set_faults(shared_fake, load_forever=True)
    refusals = []
    async with anyio.create_task_group() as tasks:

        async def start() -> None:
            refusals.append(await connection.refusal("start_llama_server"))

        tasks.start_soon(start)
        await connection.call_until(lambda status: status["state"] == "starting", "status")
        assert (await connection.call("stop_llama_server"))["state"] == "stopped"
    assert "stopped while it was loading" in refusals[0]


async def test_a_reply_that_breaks_off_is_an_error_that_keeps_what_had_come(
    connection: Connection, shared_fake: Path
) -> None:
    set_faults(shared_fake, die_at_token={"n": 4, "signal": 11}, token_delay_seconds=0.05)
    await connection.call("start_llama_server")
    refusal = await connection.refusal("chat", message="Hello")
    assert "crashed" in refusal and "SIGSEGV" in refusal
    assert "The quick brown fox" in refusal
    assert "turn 1 of session" in refusal


@pytest.mark.parametrize("build", first_quick("2026", "2025", "2024"))
async def test_a_build_of_any_year_is_launched_with_what_it_has(
    llama_mcp: LlamaMCP, fake_folder: Path, build: str
) -> None:
    fake = install_fake(fake_folder, era=build)
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        started = await connection.call("start_llama_server", n_gpu_layers=-1)
        assert started["state"] == "ready"
        reply = await connection.call("chat", message="Hello")
        assert reply["reply"].endswith("lazy dog.")
    (launch,) = recorded_launches(fake_folder)
    arguments = launch["argv"]
    layers = arguments[arguments.index("--n-gpu-layers") + 1]
    assert layers == ("all" if build == "2026" else "999")
    assert ("--cors-origins" in arguments) == (build == "2026")
    assert ("--no-webui" in arguments) == (build != "2024")
    assert not any(name.startswith("LLAMA_") for name in launch["environment"])
