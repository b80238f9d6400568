"""Two clients share a home: each is told what the other does, and finds a way out."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.client_process import Connection, LlamaMCP, text_of
from tests.support.tiny_model import write_tiny_model

# Left alone, a reply fills this window, which takes the tiny model half a minute at its best.
WINDOW = 32768


@pytest.fixture
async def clients(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> AsyncIterator[tuple[Connection, Connection]]:
    """Two clients, each with its llama-mcp, and room for a reply that does not end by itself."""
    model = write_tiny_model(tmp_path / "long.gguf", context_length=WINDOW)
    long = {"MODEL_PATH": str(model), "CTX_SIZE": str(WINDOW), "PARALLEL": "2"}
    sharing = llama_mcp.having(**long, FINISH_SECONDS="0")
    async with sharing.connect() as one, sharing.connect() as other:
        await one.call("start_llama_server")
        await other.call("start_llama_server")
        yield one, other


async def test_a_reply_of_another_client_is_named_where_it_is_in_the_way_and_can_be_stopped(
    clients: tuple[Connection, Connection],
) -> None:
    one, other = clients
    part = await other.call("chat", message="Go on and on", wait_seconds=0)
    session_id = part["session_id"]

    for refused, arguments in (
        ("stop_llama_server", {}),
        ("start_llama_server", {"ctx_size": 512, "replace": True}),
    ):
        told = await one.refusal(refused, **arguments)
        assert f"session {session_id} (Go on and on) generates a reply in llama-mcp process" in told
        assert "call cancel_reply" in told and "force=true" in told
    for refused in ("chat", "delete_session", "fork_session"):
        more = {"message": "Hello"} if refused == "chat" else {}
        told = await one.refusal(refused, session_id=session_id, **more)
        assert "is still generating a reply, for" in told and "wait_for_reply" in told
        assert ("leave session_id out" in told) is (refused == "chat")

    stopped = await one.call("cancel_reply", session_id=session_id[:6])

    assert (stopped["session_id"], stopped["status"]) == (session_id, "cancelled")
    seen = await other.call("wait_for_reply", session_id=session_id)
    assert seen["status"] == "cancelled"
    assert "It was stopped from another llama-mcp process than its own." in seen["notes"]
    assert (await one.call("delete_session", session_id=session_id))["turns"] == 1


async def test_an_idle_client_is_told_from_one_that_generates(
    clients: tuple[Connection, Connection],
) -> None:
    one, other = clients
    told = await one.refusal("stop_llama_server")
    assert "which last asked for it" in told and "no reply is lost" in told
    assert (await one.call("stop_llama_server", force=True))["state"] == "stopped"
    reply = await other.call("chat", message="Hello")
    assert any("was started for this call" in note for note in reply["notes"])


async def test_sessions_are_found_by_any_client_in_any_spelling_and_by_the_beginning_of_their_id(
    clients: tuple[Connection, Connection],
) -> None:
    one, other = clients
    reply = await other.call("chat", message="Tiếng Việt: 5 % für Straße?", max_tokens=4)
    session_id = reply["session_id"]
    for query in ("viet", "Vie\u0323\u0302t", "STRASSE", "%", "fur 5"):
        found = await one.call("list_sessions", query=query)
        assert [session["session_id"] for session in found["sessions"]] == [session_id]
        assert "note" not in found
    some = text_of(await one.result("list_sessions", query="Vietnamese tiếng lessons"))
    assert some.startswith("No session has all of these words; 1 has some.")
    assert session_id in some
    none = text_of(await one.result("list_sessions", query="zebra"))
    assert none == "Searched 1 session: none has this word."
    for uri in (f"llama://sessions/{session_id[:4]}", f"llama://sessions/{session_id[:4]}.json"):
        assert "Tiếng Việt" in await one.read(uri)
    page = text_of(await one.result("read_session", session_id=session_id[:4], offset=99))
    assert "offset is 99, and the session has 1 turn." in page
    told = await one.refusal("read_session", session_id="zzzz")
    assert session_id in told and "list_sessions" in told and "leave session_id out" not in told
