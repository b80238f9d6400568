"""What a dead keeper's record names is signalled only when it is proved to be the same process."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_mcp.keeper import run_dir
from llama_mcp.llama_server.runs.run import Run
from tests.fake_llama_server.install import install_fake, set_faults
from tests.faults.victims import Process, current_run, find, is_alive, process, start_model
from tests.support.client_process import LlamaMCP
from tests.support.processes import until
from tests.support.quick import first_quick
from tests.support.raw_client import raw_client

CALLS: dict[str, dict[str, object]] = {
    "status": {},
    "stop_llama_server": {"force": True},
    "chat": {"message": "Hello", "max_tokens": 2},
    "start_llama_server": {},
}


@pytest.fixture
def sleeper() -> Iterator[Process]:
    program = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    yield process(program.pid)
    program.kill()
    program.wait()


def forge(run: Run, *, keeper: tuple[int, str], llama_server: tuple[int, str]) -> None:
    """Have the record name these processes, as if nobody had written down how the run ended."""
    content = run_dir.read_whole(str(run.folder / run_dir.STATE))
    assert content is not None
    content["exit"] = None
    for name, (pid, start) in {"keeper": keeper, "llama_server": llama_server}.items():
        content[name] |= {"pid": pid, "start": start}
    run_dir.write_whole(str(run.folder / run_dir.STATE), content)
    for name in (run_dir.STOP, run_dir.UNUSED):
        (run.folder / name).unlink(missing_ok=True)


@pytest.mark.parametrize("tool", first_quick(*CALLS))
async def test_a_process_that_was_given_a_recorded_pid_is_left_alone(
    llama_mcp: LlamaMCP, sleeper: Process, tool: str
) -> None:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        await start_model(client)
        await client.call("stop_llama_server")
        stranger = (sleeper.pid, f"{sleeper.start}0")
        forge(current_run(llama_mcp.home), keeper=stranger, llama_server=stranger)
        result = await client.call(tool, **CALLS[tool])
        assert not result.get("isError"), result["content"][0]["text"]
        assert is_alive(sleeper)
        await start_model(client)
    assert is_alive(sleeper)


async def test_what_a_killed_keeper_could_not_take_with_it_is_ended_by_the_next_start(
    llama_mcp: LlamaMCP, sleeper: Process
) -> None:
    """As it is where no kernel ends the child with its parent: macOS."""
    assert sleeper.start is not None
    async with raw_client(llama_mcp) as client:
        await client.hello()
        await start_model(client)
        await client.call("stop_llama_server")
        gone = (sleeper.pid, f"{sleeper.start}0")
        left_over = (sleeper.pid, sleeper.start)
        forge(current_run(llama_mcp.home), keeper=gone, llama_server=left_over)
        assert (await client.call("status"))["structuredContent"]["state"] == "crashed"
        assert await start_model(client) != sleeper.pid
        await until(lambda: not is_alive(sleeper), "what was left over ends")


@pytest.fixture
def loading(llama_mcp: LlamaMCP, fake_folder: Path) -> LlamaMCP:
    """Its starts last until the test lets them end."""
    return llama_mcp.having(LLAMA_CPP_PATH=str(install_fake(fake_folder, load_held=True)))


@pytest.mark.slow
async def test_a_keeper_killed_in_its_first_moments_is_told_and_the_next_start_works(
    loading: LlamaMCP, fake_folder: Path
) -> None:
    async with raw_client(loading) as client:
        await client.hello()
        request = await client.ask("tools/call", name="start_llama_server", arguments={})
        keeper = await find("keeper", process(client.process.pid))
        assert keeper.kill()
        failure = (await client.answer(request))["result"]
        assert failure["isError"] and "did not start" in failure["content"][0]["text"]
        status = (await client.call("status"))["structuredContent"]
        assert status["state"] in ("stopped", "crashed")
        set_faults(fake_folder)
        reply = await client.call("chat", message="Hello", max_tokens=2, wait_seconds=600)
        assert reply["structuredContent"]["status"] == "complete"


@pytest.mark.slow
async def test_a_llama_mcp_killed_as_its_keeper_is_born_does_not_hinder_the_next_start(
    llama_mcp: LlamaMCP,
) -> None:
    async with raw_client(llama_mcp) as first, raw_client(llama_mcp) as second:
        await first.hello()
        await second.hello()
        await first.ask("tools/call", name="start_llama_server", arguments={})
        keeper = await find("keeper", process(first.process.pid))
        first.process.kill()
        keeper.kill()
        await first.exit_code()
        await start_model(second)


@pytest.mark.slow
async def test_a_start_cancelled_as_its_keeper_is_born_leaves_no_llama_server(
    loading: LlamaMCP,
) -> None:
    async with raw_client(loading) as client:
        await client.hello()
        request = await client.ask("tools/call", name="start_llama_server", arguments={})
        keeper = await find("keeper", process(client.process.pid))
        await client.notify("notifications/cancelled", requestId=request)
        await until(lambda: not is_alive(keeper), "the keeper leaves")
        assert (await client.call("status"))["structuredContent"]["state"] == "stopped"
