"""One model makes room for another, and something is killed meanwhile."""

import random
import shutil
from pathlib import Path

import anyio
import pytest

from tests.faults.victims import chat, find, process, until_nothing_is_left, until_told
from tests.support.client_process import LlamaMCP
from tests.support.quick import often
from tests.support.raw_client import RawClient, raw_client

KILLS = often(3, in_a_soak=20)
# About as long as a swap takes with a tiny model.
LONGEST_DELAY_SECONDS = 1.0
MODELS = ("one", "two")


@pytest.fixture
def swapping(llama_mcp: LlamaMCP, tmp_path: Path, tiny_model: Path) -> LlamaMCP:
    """Two models of which one runs at a time, and makes room at once."""
    folder = tmp_path / "models"
    folder.mkdir()
    for name in MODELS:
        shutil.copy(tiny_model, folder / f"{name}.gguf")
    variables = {**llama_mcp.variables}
    del variables["LLAMA_MCP_MODEL_PATH"]
    return LlamaMCP(llama_mcp.home, variables).having(
        MODEL_DIRS=str(folder), MODEL_PLACES="none", SWAP_AFTER_SECONDS="0", MAX_MODELS="1"
    )


async def kill_in_mid_swap(
    client: RawClient, victim: str, model: str, delay_seconds: float
) -> None:
    """Ask for a model that has to be swapped in, and kill something of ours meanwhile."""
    llama_mcp = process(client.process.pid)
    before = await find(victim, llama_mcp)
    request = await client.ask(
        "tools/call", name="chat", arguments={"message": "Go on", "model": model, "max_tokens": 4}
    )
    await anyio.sleep(delay_seconds)  # the random moment
    # The one that makes room, or the one that comes, whichever is there.
    with anyio.move_on_after(1):
        (await find(victim, llama_mcp)).kill()
    before.kill()
    await until_told(client, victim, request)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", ["llama-mcp", "keeper", "llama-server"])
async def test_a_kill_in_mid_swap_leaves_nothing_behind_and_no_model_out_of_reach(
    swapping: LlamaMCP, victim: str
) -> None:
    chance = random.Random(victim)
    for number in range(KILLS):
        async with raw_client(swapping) as client:
            await client.hello()
            await chat(client, "Hello", model=MODELS[number % 2])
            delay_seconds = LONGEST_DELAY_SECONDS * chance.random()
            print(f"{victim} after {delay_seconds:.3f} s")
            await kill_in_mid_swap(client, victim, MODELS[1 - number % 2], delay_seconds)
        await until_nothing_is_left(swapping.home)
        async with raw_client(swapping) as client:
            await client.hello()
            for name in MODELS:
                assert (await chat(client, "Hello", model=name))["status"] == "complete"
        await until_nothing_is_left(swapping.home)
