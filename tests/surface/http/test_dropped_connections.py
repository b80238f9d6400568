"""A connection that is dropped takes no word with it; a cancel does what it always did."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import LlamaMCP
from tests.support.http_process import HttpServer, RawCaller, messages_of, serving

WHOLE = "The quick brown fox jumps over the lazy dog."
ASK = {"name": "chat", "arguments": {"message": "Go on"}}
JOINED = "has joined its turn"


@pytest.fixture(params=["auto", "legacy"])
def each_era(request: pytest.FixtureRequest) -> str:
    era: str = request.param
    return era


@pytest.fixture
async def server(
    llama_mcp: LlamaMCP, fake_folder: Path, tmp_path: Path
) -> AsyncIterator[HttpServer]:
    """One whose llama-server stops for as long as a test wants after three tokens."""
    fake = install_fake(fake_folder, hold_at_token=3)
    async with serving(llama_mcp.having(LLAMA_CPP_PATH=str(fake)), tmp_path / "http") as it:
        yield it


async def dropped_in_mid_reply(caller: RawCaller) -> str:
    """Ask for a reply and drop the connection once some of it has come; return the session."""
    await caller.hello()
    async with caller.asked("tools/call", **ASK, _meta={"progressToken": "p"}) as response:
        async for message in messages_of(response):
            if message["params"].get("message"):
                break
    listed = await caller.answer("tools/call", name="list_sessions", arguments={})
    return str(listed["result"]["structuredContent"]["sessions"][0]["session_id"])


async def test_a_dropped_connection_leaves_the_reply_in_progress_and_the_rest_can_be_had(
    server: HttpServer, fake_folder: Path, each_era: str
) -> None:
    session_id = await dropped_in_mid_reply(RawCaller(server, "ann", each_era))
    async with server.connect("ann", each_era) as again:
        part = await again.call("wait_for_reply", session_id=session_id, wait_seconds=0)
        assert part["status"] == "in_progress"
        set_faults(fake_folder)
        whole = await again.rest_of_reply(part)
        assert (whole["status"], whole["reply"]) == ("complete", WHOLE)


async def test_what_a_dropped_call_would_have_told_is_told_to_whoever_waits_for_the_reply(
    server: HttpServer, fake_folder: Path, each_era: str
) -> None:
    session_id = await dropped_in_mid_reply(RawCaller(server, "ann", each_era))
    set_faults(fake_folder)
    async with server.connect("ann", each_era) as again:
        await again.call_until(
            lambda page: page["turns"][-1]["status"] == "complete",
            "read_session",
            session_id=session_id,
        )
        reply = await again.call("wait_for_reply", session_id=session_id)
        assert (reply["status"], reply["reply"]) == ("complete", WHOLE)


async def test_the_same_call_after_a_dropped_one_joins_its_turn(
    server: HttpServer, fake_folder: Path, each_era: str
) -> None:
    caller = RawCaller(server, "ann", each_era)
    session_id = await dropped_in_mid_reply(caller)
    # A call that comes at once is taken for one made side by side.
    await caller.answer(
        "tools/call", name="wait_for_reply", arguments={"session_id": session_id, "wait_seconds": 3}
    )
    async with caller.asked("tools/call", **ASK, _meta={"progressToken": "again"}) as response:
        async for message in messages_of(response):
            if "id" in message:
                reply = message["result"]["structuredContent"]
            else:
                set_faults(fake_folder)  # it has joined: it is told what had come
    assert (reply["session_id"], reply["turn"], reply["reply"]) == (session_id, 1, WHOLE)
    assert any(JOINED in note for note in reply["notes"])


async def test_a_client_of_the_initialize_era_cancels_with_a_notification(
    server: HttpServer,
) -> None:
    caller = RawCaller(server, "ann", "legacy")
    await caller.hello()
    async with caller.asked("tools/call", **ASK, _meta={"progressToken": "p"}) as response:
        async for message in messages_of(response):
            if message.get("params", {}).get("message"):
                await caller.notify("notifications/cancelled", requestId=caller.last_id)
            elif "id" in message:
                assert message["error"]["code"] == -32800
    listed = await caller.answer("tools/call", name="list_sessions", arguments={})
    session_id = listed["result"]["structuredContent"]["sessions"][0]["session_id"]
    async with server.connect("ann") as again:
        reply = await again.call("wait_for_reply", session_id=session_id)
        assert (reply["status"], reply["reply"]) == ("cancelled", "The quick brown")


async def test_a_client_that_ends_its_session_in_mid_reply_leaves_the_reply_under_way(
    server: HttpServer, fake_folder: Path
) -> None:
    caller = RawCaller(server, "ann", "legacy")
    session_id = await dropped_in_mid_reply(caller)
    async with server.http("ann") as http:
        headers = {"Mcp-Session-Id": caller.session_id or ""}
        ended = await http.delete(server.mcp, headers=headers)
        assert ended.status_code == 200
        gone = await http.post(server.mcp, json=caller.message("ping"), headers=headers)
        assert gone.status_code == 404
    async with server.connect("ann") as again:
        part = await again.call("wait_for_reply", session_id=session_id, wait_seconds=0)
        assert part["status"] == "in_progress"
        set_faults(fake_folder)
        whole = await again.rest_of_reply(part)
        assert (whole["status"], whole["reply"]) == ("complete", WHOLE)


async def test_cancel_reply_stops_a_reply_whose_connection_was_dropped(
    server: HttpServer, each_era: str
) -> None:
    session_id = await dropped_in_mid_reply(RawCaller(server, "ann", each_era))
    async with server.connect("ann", each_era) as again:
        stopped = await again.call("cancel_reply", session_id=session_id)
        assert (stopped["status"], stopped["reply"]) == ("cancelled", "The quick brown")
