"""The same call made again, by clients that have given it up."""

from pathlib import Path
from typing import Any

import pytest

from tests.fake_llama_server.install import install_fake, received_requests, set_faults
from tests.fake_llama_server.running import CHAT
from tests.support.client_process import LlamaMCP
from tests.support.processes import until
from tests.support.raw_client import RawClient, raw_client

ASK: dict[str, Any] = {"name": "chat", "arguments": {"message": "Go on", "temperature": 0.5}}
WHOLE = "The quick brown fox jumps over the lazy dog."
JOINED = "has joined its turn"


async def session_of(client: RawClient) -> str:
    """Return the newest session once its reply has begun."""
    while True:
        listed = (await client.call("list_sessions"))["structuredContent"]
        if sessions := listed.get("sessions"):
            return str(sessions[0]["session_id"])


async def taken_back(client: RawClient) -> str:
    """Make the call, take it back once something of the reply has come, and return its session."""
    request = await client.ask("tools/call", **ASK, _meta={"progressToken": "first"})
    while (await client.next()).get("params", {}).get("message") is None:
        pass
    await client.notify("notifications/cancelled", requestId=request)
    session_id = await session_of(client)
    stopped = await client.call("wait_for_reply", session_id=session_id)
    assert stopped["structuredContent"]["status"] == "cancelled"
    return session_id


def sent(fake_folder: Path) -> int:
    return sum(request["path"] == CHAT for request in received_requests(fake_folder))


async def test_a_call_that_a_client_gave_up_without_a_word_is_joined_by_the_next_same_call(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, hold_at_token=3)
    async with raw_client(llama_mcp.having(LLAMA_CPP_PATH=str(fake))) as client:
        await client.hello()
        given_up = await client.ask("tools/call", **ASK)
        session_id = await session_of(client)
        # The time that passes until a client gives up.
        await client.call("wait_for_reply", session_id=session_id, wait_seconds=3)
        again = await client.ask("tools/call", **ASK, _meta={"progressToken": "again"})
        await client.call("wait_for_reply", session_id=session_id, wait_seconds=0)
        set_faults(fake_folder)
        results: dict[int, dict[str, Any]] = {}
        while len(results) < 2:
            message = await client.next()
            if message.get("id") in (given_up, again):
                results[message["id"]] = message["result"]["structuredContent"]
        for result in results.values():
            assert (result["session_id"], result["turn"]) == (session_id, 1)
            assert (result["status"], result["reply"]) == ("complete", WHOLE)
        told = [
            any(JOINED in note for note in results[i].get("notes", [])) for i in (given_up, again)
        ]
        assert told == [False, True] and sent(fake_folder) == 1
        # Asked once more after an answer, it is another question.
        after = (await client.answer(await client.ask("tools/call", **ASK)))["result"]
        assert after["structuredContent"]["session_id"] != session_id and sent(fake_folder) == 2


async def test_a_call_that_a_client_took_back_goes_on_in_its_turn_when_it_is_made_again(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, hold_at_token=3)
    async with raw_client(llama_mcp.having(LLAMA_CPP_PATH=str(fake))) as client:
        await client.hello()
        session_id = await taken_back(client)
        set_faults(fake_folder)
        again = await client.answer(await client.ask("tools/call", **ASK))
        result = again["result"]["structuredContent"]
        assert (result["session_id"], result["turn"]) == (session_id, 1)
        assert (result["status"], result["reply"]) == ("complete", WHOLE)
        assert any(JOINED in note for note in result["notes"]) and sent(fake_folder) == 2
        read = (await client.call("read_session", session_id=session_id))["structuredContent"]
        assert [turn["reply"] for turn in read["turns"]] == [WHOLE]


@pytest.mark.posix  # a process is killed
async def test_a_turn_that_waits_to_go_on_when_its_process_is_killed_has_no_word_twice(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, hold_at_token=3)
    kept = llama_mcp.having(LLAMA_CPP_PATH=str(fake), LINGER_SECONDS="600", PARALLEL="1")
    async with raw_client(kept) as client:
        await client.hello()
        session_id = await taken_back(client)
        # The one slot is taken.
        await client.call("chat", message="Something else", wait_seconds=1)
        await client.ask("tools/call", **ASK)
        waiting: dict[str, Any] = {}
        while waiting.get("status") != "waiting":
            told = await client.call("wait_for_reply", session_id=session_id, wait_seconds=0)
            waiting = told["structuredContent"]
        client.process.kill()
        await client.exit_code()
    set_faults(fake_folder)
    async with raw_client(kept) as client:
        await client.hello()
        again = await client.answer(await client.ask("tools/call", **ASK))
        result = again["result"]["structuredContent"]
        assert (result["session_id"], result["status"]) == (session_id, "complete"), result
        assert result["reply"] == WHOLE
        await client.call("stop_llama_server", force=True)


async def test_same_calls_that_are_made_side_by_side_have_sessions_of_their_own(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder)
    async with raw_client(llama_mcp.having(LLAMA_CPP_PATH=str(fake))) as client:
        await client.hello()
        requests = {await client.ask("tools/call", **ASK) for _ in range(3)}
        sessions = set()
        while requests:
            message = await client.next()
            if message.get("id") in requests:
                requests.remove(message["id"])
                sessions.add(message["result"]["structuredContent"]["session_id"])
        assert len(sessions) == 3


@pytest.mark.posix  # a process is killed
@pytest.mark.parametrize("goes_on", [True, False], ids=["under way", "finished meanwhile"])
async def test_a_call_whose_process_is_gone_is_joined_by_the_same_call_in_another_process(
    llama_mcp: LlamaMCP, fake_folder: Path, goes_on: bool
) -> None:
    fake = install_fake(fake_folder, hold_at_token=3)
    kept = llama_mcp.having(LLAMA_CPP_PATH=str(fake), LINGER_SECONDS="600")
    async with raw_client(kept) as next_client:
        await next_client.hello()
        await next_client.call("start_llama_server")
        async with raw_client(kept) as client:
            await client.hello()
            await client.ask("tools/call", **ASK)
            session_id = await session_of(client)
            await until(lambda: sent(fake_folder) == 1, "it is sent")
            client.process.kill()
            await client.exit_code()
        if not goes_on:
            set_faults(fake_folder)
        again = await next_client.ask("tools/call", **ASK)
        set_faults(fake_folder)
        result = (await next_client.answer(again))["result"]["structuredContent"]
        assert (result["session_id"], result["status"]) == (session_id, "complete"), result
        assert result["reply"] == WHOLE and any(JOINED in note for note in result["notes"])
        after = (await next_client.call("chat", **ASK["arguments"]))["structuredContent"]
        assert after["session_id"] != session_id and sent(fake_folder) == 2
        await next_client.call("stop_llama_server", force=True)
