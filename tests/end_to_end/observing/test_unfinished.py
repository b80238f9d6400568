"""Sessions whose reply is not whole: told as text and as structure, by tools and resources."""

import json
from pathlib import Path

from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import Connection, LlamaMCP, text_of

PART = "The quick brown"


async def told_states(connection: Connection) -> dict[str, str]:
    """Return how the last reply of each session stands, as every way to ask tells alike."""
    listed = await connection.result("list_sessions")
    structure = listed.structured_content or {}
    index = json.loads(await connection.read("llama://sessions"))
    assert index == structure
    lines = text_of(listed).splitlines()
    states = {}
    for session in structure["sessions"]:
        session_id, state = session["session_id"], session.get("unfinished", "")
        states[session["title"]] = state
        (line,) = [line for line in lines if line.startswith(session_id)]
        assert line.endswith(f", reply {state})") if state else ", reply" not in line
        page = await connection.call("read_session", session_id=session_id)
        assert page["session"].get("unfinished", "") == state
        data = json.loads(await connection.read(f"llama://sessions/{session_id}.json"))
        assert data.get("unfinished", "") == state
    return states


async def test_whoever_lists_or_reads_sessions_learns_which_replies_are_not_whole(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, hold_at_token=3)
    one_slot = llama_mcp.having(LLAMA_CPP_PATH=str(fake), PARALLEL="1", LINGER_SECONDS="600")
    async with one_slot.connect() as connection:
        first = await connection.call("chat", message="one", wait_seconds=0)
        await connection.reply_until(PART, first["session_id"])
        second = await connection.call("chat", message="two", wait_seconds=0)
        await connection.call_until(lambda status: "waiting_turns" in status, "status")
        assert await told_states(connection) == {"one": "in_progress", "two": "waiting"}
        note = (await connection.call("list_sessions"))["note"]
        assert note == "wait_for_reply gives a reply that is in_progress or waiting."
        session = {"session_id": second["session_id"]}
        text = text_of(await connection.result("read_session", **session))
        assert "*This reply waits for a slot or for the model.*" in text
        # Another process does not know who waits.
        async with one_slot.connect() as other:
            assert await told_states(other) == {"one": "in_progress", "two": "in_progress"}
    async with one_slot.connect() as connection:
        states = await told_states(connection)
        assert set(states.values()) <= {"interrupted", "in_progress"} and len(states) == 2
        set_faults(fake_folder)
        whole = await connection.call("chat", message="three")
        assert (await told_states(connection))["three"] == "" and whole["status"] == "complete"
        await connection.call("stop_llama_server", force=True)
