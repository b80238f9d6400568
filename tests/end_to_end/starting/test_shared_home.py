"""A home folder that two containers share, and one that somebody cleans while it is used."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.fake_llama_server.running import free_port
from tests.support.client_process import COMMAND, LlamaMCP
from tests.support.privileges import OWN_PIDS, need
from tests.support.processes import until


@pytest.fixture
def container(llama_mcp: LlamaMCP) -> LlamaMCP:
    """Return llama-mcp with the same home, as in a container with the network of its host."""
    # Pids of its own are what makes pids of elsewhere mean nothing.
    need("pids of its own, as containers on Linux have", OWN_PIDS)
    return replace(llama_mcp, command=(*OWN_PIDS, COMMAND))


@pytest.mark.posix
async def test_two_containers_with_one_home_leave_each_others_llama_server_alone(
    llama_mcp: LlamaMCP, container: LlamaMCP
) -> None:
    port, asking = free_port(), container.having(AUTO_START="false")
    async with llama_mcp.connect() as here, asking.connect() as there:
        ours = await here.call("start_llama_server", port=port)
        status = await there.call("status")
        assert status["state"] == "stopped" and "runs elsewhere" in status["message"]
        assert "runs elsewhere" in await there.refusal("chat", message="Hello", wait_seconds=1)
        assert (await there.call("stop_llama_server", force=True))["state"] == "stopped"
        taken = await there.refusal("start_llama_server", port=port)
        assert f"Port {port} is taken by the llama-server that runs elsewhere" in taken
        theirs = await there.call("start_llama_server", port=0)
        assert theirs["state"] == "ready" and theirs["port"] != port
        for connection, started in ((here, ours), (there, theirs)):
            status = await connection.call("status")
            assert (status["state"], status["pid"]) == ("ready", started["pid"])
            reply = await connection.call("chat", message="Hello", max_tokens=2)
            assert "crash" not in str(reply["notes"])
        assert (await here.call("stop_llama_server"))["state"] == "stopped"
        assert (await there.call("status"))["state"] == "ready"


@pytest.mark.posix
async def test_a_llama_server_whose_records_are_deleted_is_found_again_and_goes_on(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.connect() as connection:
        pid = (await connection.call("start_llama_server"))["pid"]
        shutil.rmtree(llama_mcp.home / "runs")
        status = await connection.call_until(lambda status: status["state"] == "ready", "status")
        assert (status["pid"], status["clients"]) == (pid, 1)
        assert (await connection.call("chat", message="Hello", max_tokens=2))["reply"]
        assert (await connection.call("stop_llama_server"))["state"] == "stopped"
        await until(lambda: not psutil.pid_exists(pid), "llama-server ends")


async def test_an_uptime_is_never_negative_though_the_clock_was_set_back(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server")
        (record,) = (llama_mcp.home / "runs").glob("*/state.json")
        state = json.loads(record.read_text())
        # As the keeper has written it, when the clock was set back by a year since.
        state["llama_server"]["at"] += 365 * 86_400
        write(record, state)
        assert (await connection.call("status"))["uptime_seconds"] >= 0
        del state["llama_server"]["clock"]  # as an older version has written it
        write(record, state)
        assert (await connection.call("status"))["uptime_seconds"] == 0


def write(path: Path, content: object) -> None:
    whole = path.with_suffix(".new")
    whole.write_text(json.dumps(content))
    whole.replace(path)
