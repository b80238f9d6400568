"""The memory of workers, each counted once, and what keeps llama-server apart from them."""

import os
from pathlib import Path

import psutil
import pytest

from llama_mcp.llama_server.diagnosis.causes import Diagnosis
from llama_mcp.llama_server.engine.capabilities import learn_capabilities
from llama_mcp.llama_server.engine.devices import Device
from llama_mcp.llama_server.engine.locate import Engine, locate_engine
from llama_mcp.llama_server.workers.memory import counted_devices, list_workers
from tests.support.rpc_workers import PROGRAM, free_port, workers_of

GIB = 2**30
REAL_FOLDER = os.environ.get("LLAMA_MCP_TEST_LLAMA_CPP_PATH", "")
real = pytest.mark.skipif(
    not (Path(REAL_FOLDER) / PROGRAM).is_file(),
    reason=f"LLAMA_MCP_TEST_LLAMA_CPP_PATH names no folder with {PROGRAM}",
)


def device(number: int, address: str, total: int) -> Device:
    return Device(f"RPC{number}", address, total, total, is_unified=False)


def test_workers_of_one_machine_that_tell_the_same_memory_count_once() -> None:
    a, b = device(0, "10.0.0.2:50052", 64 * GIB), device(1, "10.0.0.2:50053", 64 * GIB)
    other = device(2, "10.0.0.3:50052", 64 * GIB)
    assert counted_devices([a, b, other]) == (a, other)


def test_the_devices_of_one_worker_all_count() -> None:
    pair = [device(number, "10.0.0.2:50052", 24 * GIB) for number in range(2)]
    assert counted_devices(pair) == tuple(pair)


def test_a_worker_on_this_machine_adds_nothing_but_one_behind_a_tunnel_does() -> None:
    near = device(0, "127.0.0.1:50052", psutil.virtual_memory().total)
    far = [device(1, "127.0.0.1:50053", 7 * GIB), device(2, "127.0.0.1:50054", 7 * GIB)]
    assert counted_devices([near, *far]) == tuple(far)


async def real_engine() -> Engine:
    return locate_engine(REAL_FOLDER, "")


@real
@pytest.mark.posix
async def test_llama_server_lists_what_workers_have_by_their_addresses() -> None:
    engine = await real_engine()
    capabilities = await learn_capabilities(engine, {})
    with workers_of(Path(REAL_FOLDER), 2) as workers:
        for worker in workers:
            await worker.start()
        addresses = [worker.address for worker in workers]
        listed = await list_workers(addresses, engine, capabilities, {}, 60.0)
    assert isinstance(listed, tuple)
    assert [each.description for each in listed] == addresses
    assert all(each.total_bytes > GIB / 2 for each in listed)


@real
@pytest.mark.posix
async def test_what_keeps_the_two_apart_is_diagnosed() -> None:
    engine = await real_engine()
    capabilities = await learn_capabilities(engine, {})
    address = f"127.0.0.1:{free_port()}"
    found = await list_workers([address], engine, capabilities, {}, 60.0)
    assert isinstance(found, Diagnosis)
    assert found.cause == f"the RPC worker {address} cannot be reached"
