"""Real RPC workers that are dead, frozen, killed in mid-reply, and back again.

The worker is llama.cpp's own (ggml-rpc-server), on loopback; scripts/workers has the same across
network namespaces, with a slow network.
"""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.client_process import Connection, LlamaMCP
from tests.support.processes import until
from tests.support.rpc_workers import PROGRAM, Worker, workers_of

REAL_FOLDER = os.environ.get("LLAMA_MCP_TEST_LLAMA_CPP_PATH", "")
pytestmark = [
    pytest.mark.posix,
    pytest.mark.skipif(
        not (Path(REAL_FOLDER) / PROGRAM).is_file(),
        reason=f"LLAMA_MCP_TEST_LLAMA_CPP_PATH names no folder with {PROGRAM}",
    ),
]
LONG = "Go on and on"


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    with workers_of(Path(REAL_FOLDER), 2) as both:
        yield both


@pytest.fixture
def with_workers(llama_mcp: LlamaMCP, workers: list[Worker]) -> LlamaMCP:
    """Two workers, set as an operator does, and not started yet."""
    return llama_mcp.having(
        LLAMA_CPP_PATH=REAL_FOLDER,
        RPC_SERVERS=",".join(worker.address for worker in workers),
        CTX_SIZE="32768",
        PARALLEL="1",
        UNRESPONSIVE_SECONDS="3",
    )


@pytest.fixture
async def client(with_workers: LlamaMCP) -> AsyncIterator[Connection]:
    async with with_workers.connect() as connection:
        yield connection


async def all_started(workers: list[Worker]) -> None:
    for worker in workers:
        await worker.start()


def seen(status: dict[str, Any]) -> dict[str, bool]:
    return {each["address"]: each["reachable"] for each in status["workers"]}


def problem_of(status: dict[str, Any], worker: Worker) -> str:
    (problem,) = (w["problem"] for w in status["workers"] if w["address"] == worker.address)
    return str(problem)


async def begin_reply(client: Connection) -> str:
    """Return the session of a reply that is under way."""
    part = await client.call("chat", message=LONG, max_tokens=30_000, wait_seconds=0)
    session: str = part["session_id"]
    await client.call_until(
        lambda page: bool(page["turns"][-1]["reply"]), "read_session", session_id=session
    )
    return session


async def broken_off(client: Connection, session: str) -> str:
    """Return the error that ended a reply."""
    while True:
        result = await client.result("wait_for_reply", session_id=session)
        if result.is_error:
            return "\n".join(getattr(each, "text", "") for each in result.content)
        assert result.structured_content is not None
        assert result.structured_content["status"] == "in_progress", result.structured_content


async def test_a_start_uses_the_workers_of_the_setting_and_the_status_shows_each(
    client: Connection, workers: list[Worker]
) -> None:
    await all_started(workers)
    status = await client.call("start_llama_server")
    assert seen(status) == {worker.address: True for worker in workers}
    assert all(worker["memory_bytes"] > 2**30 for worker in status["workers"])
    assert seen(await client.call("status")) == seen(status)
    assert (await client.call("chat", message="Hello", max_tokens=5))["status"] == "complete"


async def test_a_start_names_the_worker_that_is_not_there_and_works_once_it_is(
    client: Connection, workers: list[Worker]
) -> None:
    first, second = workers
    await first.start()
    error = await client.refusal("start_llama_server")
    assert f"{second.address}: nothing listens there" in error
    assert f'"--rpc", "{first.address}"' in error
    status = await client.call("status")
    assert problem_of(status, second) == "nothing listens there"
    await second.start()
    assert seen(await client.call("start_llama_server"))[second.address]


async def test_a_start_names_a_frozen_worker_and_uses_it_once_it_is_thawed(
    client: Connection, workers: list[Worker]
) -> None:
    await all_started(workers)
    workers[1].freeze()
    error = await client.refusal("start_llama_server")
    assert f"{workers[1].address}: it accepts connections and does not answer" in error
    assert workers[0].address + ":" not in error
    workers[1].thaw()
    assert seen(await client.call("start_llama_server"))[workers[1].address]


async def test_a_worker_killed_in_mid_reply_is_named_waited_for_and_used_again(
    client: Connection, workers: list[Worker]
) -> None:
    await all_started(workers)
    await client.call("start_llama_server")
    session = await begin_reply(client)
    workers[0].end()
    error = await broken_off(client, session)
    assert f"an RPC worker crashed or went away: {workers[0].address}" in error
    assert workers[1].address not in error
    turn = (await client.call("read_session", session_id=session))["turns"][-1]
    assert turn["status"] == "failed" and turn["reply"]
    missing = await client.refusal("chat", message="Hello")
    assert f"{workers[0].address}: nothing listens there" in missing
    assert "waited for" in missing and "No llama-server is running" not in missing
    await workers[0].start()
    reply = await client.call("chat", message="Hello", max_tokens=5)
    assert reply["status"] == "complete"
    assert any("started again after a crash" in note for note in reply["notes"])


async def test_a_reply_goes_on_when_its_worker_is_back_in_time(
    client: Connection, workers: list[Worker]
) -> None:
    await all_started(workers)
    await client.call("start_llama_server")
    session = await begin_reply(client)
    workers[0].end()
    await workers[0].start()

    def goes_on(part: dict[str, Any]) -> bool:
        return any("goes on where it broke off" in note for note in part.get("notes", ()))

    await client.call_until(goes_on, "wait_for_reply", session_id=session, wait_seconds=1)
    assert (await client.call("cancel_reply", session_id=session))["status"] == "cancelled"


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux alone tells of connections")
async def test_a_worker_frozen_in_mid_reply_is_named_and_goes_on_once_it_is_thawed(
    client: Connection, workers: list[Worker]
) -> None:
    await all_started(workers)
    await client.call("start_llama_server")
    session = await begin_reply(client)
    workers[1].freeze()
    error = await broken_off(client, session)
    assert f"since it waits for its RPC worker {workers[1].address}" in error
    assert "has not answered" in error and "GPU" not in error
    status = await client.call("status")
    assert status["state"] == "unresponsive"
    assert seen(status) == {workers[0].address: True, workers[1].address: False}
    workers[1].thaw()
    assert (await client.call("chat", message="Hello", max_tokens=5))["status"] == "complete"
    assert seen(await client.call("status"))[workers[1].address]


async def test_a_second_model_is_started_without_the_workers_that_serve_the_first(
    with_workers: LlamaMCP, workers: list[Worker], tiny_model: Path, tmp_path: Path
) -> None:
    await all_started(workers)
    other = shutil.copy(tiny_model, tmp_path / "other.gguf")
    async with with_workers.having(MAX_MODELS="2").connect() as client:
        await client.call("start_llama_server")
        status = await client.call("start_llama_server", model_path=str(other))
        assert status["state"] == "ready" and "workers" not in status
        assert any("RPC workers are not used" in note for note in status["notes"])
        named = ["--rpc", workers[0].address]
        await client.call("stop_llama_server", model="other")
        error = await client.refusal(
            "start_llama_server", model_path=str(other), extra_args=["-t", "1", *named]
        )
        assert f"{workers[0].address} serves llama-server with tiny" in error


async def test_an_entry_has_workers_of_its_own_or_none(
    with_workers: LlamaMCP, workers: list[Worker], tiny_model: Path, tmp_path: Path
) -> None:
    await all_started(workers[:1])
    models = tmp_path / "models.toml"
    entry = f'[[models]]\nmodel_path = "{tiny_model}"\n'
    here_only = f'{entry}name = "here"\nrpc_servers = []\n'
    await anyio.Path(models).write_text(
        f'{here_only}{entry}name = "there"\nrpc_servers = ["{workers[0].address}"]\n'
    )
    async with with_workers.having(MODELS=str(models)).connect() as client:
        here = await client.call("start_llama_server", model_path="here")
        assert "workers" not in here
        there = await client.call("start_llama_server", model_path="there", replace=True)
        assert seen(there) == {workers[0].address: True}


async def test_a_start_that_replaces_stops_nothing_while_a_worker_is_missing(
    client: Connection, workers: list[Worker]
) -> None:
    await all_started(workers)
    running = await client.call("start_llama_server", extra_args=["--rpc", workers[0].address])
    workers[1].end()
    error = await client.refusal("start_llama_server", replace=True)
    assert workers[1].address in error
    assert (await client.call("status"))["pid"] == running["pid"]


async def test_looks_do_no_harm_to_a_worker_that_stands_still(workers: list[Worker]) -> None:
    """A greeting that nobody waits for would end it as soon as it goes on."""
    (worker, _) = workers
    await worker.start()
    for _ in range(3):
        worker.freeze()
        assert not await worker.answers()
        assert not await worker.answers()
        worker.thaw()
        assert worker.process is not None
        assert await worker.answers()
    await until(lambda: worker.process is not None and worker.process.poll() is None, "it lives")
