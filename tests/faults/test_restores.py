"""A llama-mcp or a llama-server that is killed while a session goes on from its saved prompt."""

import random

import anyio
import pytest

from tests.faults.victims import chat, find, process, until_nothing_is_left, until_told
from tests.support.client_process import LlamaMCP
from tests.support.quick import often
from tests.support.raw_client import RawClient, raw_client

KILLS = often(4, in_a_soak=30)
# About as long as the start and the turn take with a tiny model.
LONGEST_DELAY_SECONDS = 0.5
LONG = "Tell me about all the rivers of the world, one after another, and their lengths. " * 8


async def kill_in_mid_restore(
    client: RawClient, victim: str, session_id: str, delay_seconds: float
) -> None:
    """Have the session go on, and kill something of ours while its prompt is restored."""
    await client.call("start_llama_server")
    doomed = await find(victim, process(client.process.pid))
    arguments = {"message": "Go on.", "session_id": session_id, "max_tokens": 4}
    request = await client.ask("tools/call", name="chat", arguments=arguments)
    await anyio.sleep(delay_seconds)  # the random moment
    doomed.kill()
    await until_told(client, victim, request)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", ["llama-mcp", "keeper", "llama-server"])
async def test_a_kill_in_mid_restore_loses_no_word_and_no_session(
    llama_mcp: LlamaMCP, victim: str
) -> None:
    chance = random.Random(victim)
    for _ in range(KILLS):
        async with raw_client(llama_mcp) as client:
            await client.hello()
            begun = await chat(client, LONG)
        await until_nothing_is_left(llama_mcp.home)
        delay_seconds = LONGEST_DELAY_SECONDS * chance.random() ** 2
        print(f"{victim} after {delay_seconds:.3f} s")
        async with raw_client(llama_mcp) as client:
            await client.hello()
            await kill_in_mid_restore(client, victim, begun["session_id"], delay_seconds)
        await until_nothing_is_left(llama_mcp.home)
        async with raw_client(llama_mcp) as client:
            await client.hello()
            session = {"session_id": begun["session_id"]}
            await client.call("wait_for_reply", **session)
            assert (await chat(client, "And then?", **session))["status"] == "complete"
            page = (await client.call("read_session", **session))["structuredContent"]
            messages = [turn["message"] for turn in page["turns"]]
            # A llama-mcp that is killed at once has not had the message yet.
            assert messages in ([LONG, "Go on.", "And then?"], [LONG, "And then?"])
            assert victim == "llama-mcp" or len(messages) == 3
            assert page["turns"][0]["reply"] == begun["reply"]
        await until_nothing_is_left(llama_mcp.home)
