"""llama-server's log when there is no room for it, and when it grows beyond all bounds."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llama_mcp.keeper.log_rotation import KEPT_LOGS, MAX_LOG_BYTES
from tests.fake_llama_server.install import install_fake, set_faults
from tests.faults.victims import (
    current_run,
    find,
    is_alive,
    process,
    start_model,
    until_nothing_is_left,
)
from tests.support.client_process import LlamaMCP
from tests.support.processes import limit_file_size, until
from tests.support.raw_client import RawClient, raw_client

# The largest file that a process may write: to a program, none is what a full disk is.
NO_ROOM = 1
# Enough for more than MAX_LOG_BYTES: a line has more than 100 of them.
CHATTY_LINES = 105_000
# What may be written between two looks of the keeper.
SLACK_BYTES = 3 * MAX_LOG_BYTES


@pytest.fixture
async def client(llama_mcp: LlamaMCP) -> AsyncIterator[RawClient]:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        yield client


async def test_without_room_for_a_log_llama_server_lives_on_chats_and_stops(
    llama_mcp: LlamaMCP, client: RawClient
) -> None:
    pid = await start_model(client)
    keeper = await find("keeper", process(client.process.pid))
    for each in (keeper.pid, pid):
        limit_file_size(each, NO_ROOM)
    run = current_run(llama_mcp.home)
    size = run.log_path.stat().st_size
    reply = (await client.call("chat", message="Hello", max_tokens=5))["structuredContent"]
    assert reply["status"] == "complete"
    assert run.log_path.stat().st_size == size
    status = (await client.call("status"))["structuredContent"]
    assert (status["state"], status["pid"]) == ("ready", pid)
    stopped = (await client.call("stop_llama_server"))["structuredContent"]
    assert stopped["state"] == "stopped"
    await until_nothing_is_left(llama_mcp.home)
    await start_model(client)


async def test_a_start_on_a_full_disk_says_so(client: RawClient) -> None:
    limit_file_size(client.process.pid, NO_ROOM)
    failed = await client.call("start_llama_server")
    assert failed["isError"]
    assert "cannot be used: File too large" in failed["content"][0]["text"]
    limit_file_size(client.process.pid, None)
    await start_model(client)


@pytest.mark.slow
async def test_a_chatty_llama_servers_log_is_rotated_while_it_chats(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    fake = install_fake(tmp_path / "fake")
    async with raw_client(llama_mcp.having(LLAMA_CPP_PATH=str(fake))) as client:
        await client.hello()
        pid = await start_model(client)
        log = current_run(llama_mcp.home).log_path
        for number in range(KEPT_LOGS + 1):
            if number == KEPT_LOGS:
                set_faults(tmp_path / "fake", chatty=CHATTY_LINES)
            else:
                grow(log, f"an earlier line of {number}\n")
            reply = (await client.call("chat", message="Hello"))["structuredContent"]
            assert reply["reply"].endswith("lazy dog.")
            await until(lambda: log.stat().st_size < MAX_LOG_BYTES, "it is rotated")
        kept = sorted(log.parent.glob(f"{log.name}.*"))
        assert [path.name for path in kept] == [f"{log.name}.{n + 1}" for n in range(KEPT_LOGS)]
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in (log, *kept))
        sizes = [path.stat().st_size for path in (log, *kept)]
        assert sum(sizes) < (KEPT_LOGS + 1) * MAX_LOG_BYTES + SLACK_BYTES
        assert b"an earlier line of 0" not in kept[-1].read_bytes()
        # llama-server goes on writing into the newest.
        set_faults(tmp_path / "fake", chatty=3)
        await client.call("chat", message="Hello")
        assert b"line 2 of 3: the quick brown fox" in log.read_bytes()
        assert await start_model(client) == pid


def grow(log: Path, line: str) -> None:
    """Write what a chatty llama-server takes seconds for."""
    with log.open("ab") as file:
        file.write(line.encode() * (MAX_LOG_BYTES // len(line) + 1))


async def test_a_log_that_somebody_removes_ends_neither_keeper_nor_llama_server(
    llama_mcp: LlamaMCP, client: RawClient
) -> None:
    pid = await start_model(client)
    keeper = await find("keeper", process(client.process.pid))
    run = current_run(llama_mcp.home)
    run.log_path.unlink()
    # The keeper clears leases of the dead away each time before it looks at the log.
    dead_lease = run.leases_dir / "1-dead"
    for _ in range(2):
        dead_lease.touch()
        await until(lambda: not dead_lease.exists(), "the keeper looks around")
    assert is_alive(keeper)
    reply = (await client.call("chat", message="Hello", max_tokens=5))["structuredContent"]
    assert reply["status"] == "complete"
    assert await start_model(client) == pid
