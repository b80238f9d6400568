"""Sessions as a client finds, reads, changes, forks and deletes them."""

import json
from collections.abc import AsyncIterator

import anyio
import pytest
from mcp.types import ResourceTemplateReference

from tests.support.client_process import Connection, LlamaMCP
from tests.support.processes import PATIENCE_SECONDS
from tests.support.raw_client import RawClient, raw_client


@pytest.fixture(scope="module")
async def shared_connection(shared_llama_mcp: LlamaMCP) -> AsyncIterator[Connection]:
    async with shared_llama_mcp.connect() as connection:
        await connection.call("start_llama_server")
        yield connection


@pytest.fixture
async def connection(shared_connection: Connection) -> Connection:
    """A llama-server that is ready, and an archive without sessions."""
    left = await shared_connection.call("list_sessions", limit=100)
    for session in left.get("sessions", []):
        await shared_connection.call("delete_session", session_id=session["session_id"])
    return shared_connection


async def chat(connection: Connection, message: str, session_id: str = "") -> str:
    reply = await connection.call("chat", message=message, session_id=session_id, max_tokens=4)
    found: str = reply["session_id"]
    return found


async def test_sessions_are_listed_newest_first_found_by_words_and_paged(
    connection: Connection,
) -> None:
    ids = [await chat(connection, f"About {subject}") for subject in ("apples", "pears", "plums")]
    listed = await connection.call("list_sessions")
    assert [item["session_id"] for item in listed["sessions"]] == ids[::-1]
    assert listed["sessions"][0]["title"] == "About plums"
    assert listed["total"] == 3
    await chat(connection, "More about apples", ids[0])
    first = await connection.call("list_sessions", limit=2)
    assert [item["session_id"] for item in first["sessions"]] == [ids[0], ids[2]]
    rest = await connection.call("list_sessions", limit=2, before=first["next_before"])
    assert [item["session_id"] for item in rest["sessions"]] == [ids[1]]
    assert "next_before" not in rest
    found = await connection.call("list_sessions", query="pears")
    assert [item["session_id"] for item in found["sessions"]] == [ids[1]]
    assert "pears" in found["sessions"][0]["match"]
    for odd in ('"', "AND OR", "x*", "(", "pears) OR ("):
        await connection.call("list_sessions", query=odd)


async def test_a_session_is_read_in_pages_and_whole_as_markdown_and_json(
    connection: Connection,
) -> None:
    session_id = await chat(connection, "One")
    for message in ("Two", "Three"):
        await chat(connection, message, session_id)
    page = await connection.call("read_session", session_id=session_id, offset=1, limit=1)
    assert [turn["message"] for turn in page["turns"]] == ["Two"]
    assert (page["offset"], page["total"], page["next_offset"]) == (1, 3, 2)
    assert page["turns"][0]["usage"]["completion_tokens"] == 4
    assert page["turns"][0]["sampling"] == {"max_tokens": 4}
    markdown = await connection.read(f"llama://sessions/{session_id}")
    assert markdown.startswith("# One\n")
    assert markdown.index("## Turn 2") < markdown.index("Three")
    data = json.loads(await connection.read(f"llama://sessions/{session_id}.json"))
    assert data["session_id"] == session_id
    assert [turn["turn"] for turn in data["turns"]] == [1, 2, 3]
    index = json.loads(await connection.read("llama://sessions"))
    assert index["sessions"][0]["session_id"] == session_id


async def test_a_fork_goes_on_by_itself_and_says_where_it_came_from(connection: Connection) -> None:
    session_id = await chat(connection, "One")
    await chat(connection, "Two", session_id)
    fork = await connection.call("fork_session", session_id=session_id, at_turn=1)
    assert (fork["turns"], fork["forked_from"], fork["forked_at_turn"]) == (1, session_id, 1)
    await chat(connection, "Otherwise", fork["session_id"])
    original = await connection.call("read_session", session_id=session_id)
    assert [turn["message"] for turn in original["turns"]] == ["One", "Two"]
    copy = await connection.call("read_session", session_id=fork["session_id"])
    assert [turn["message"] for turn in copy["turns"]] == ["One", "Otherwise"]


async def test_title_and_system_prompt_can_be_changed(connection: Connection) -> None:
    session_id = await chat(connection, "One")
    changed = await connection.call(
        "update_session", session_id=session_id, title="Fruit", system_prompt="Be brief"
    )
    assert (changed["title"], changed["system_prompt"]) == ("Fruit", "Be brief")
    as_json = '{"role": "pirate"}'
    kept = await connection.call("update_session", session_id=session_id, system_prompt=as_json)
    assert kept["system_prompt"] == as_json
    cleared = await connection.call("update_session", session_id=session_id, system_prompt="")
    assert cleared["title"] == "Fruit" and "system_prompt" not in cleared


async def test_a_deleted_session_is_gone_and_one_that_is_written_is_not_deleted(
    connection: Connection,
) -> None:
    part = await connection.call("chat", message="Go on", wait_seconds=0)
    session = {"session_id": part["session_id"]}
    assert "still generating" in await connection.refusal("delete_session", **session)
    await connection.call("cancel_reply", **session)
    await connection.call("delete_session", **session)
    assert "There is no session" in await connection.refusal("read_session", **session)
    assert (await connection.call("list_sessions"))["total"] == 0


async def test_the_newest_transcripts_are_listed(connection: Connection) -> None:
    session_id = await chat(connection, "One")
    listed = (await connection.client.list_resources()).resources
    (entry,) = [item for item in listed if item.title == "One"]
    assert entry.uri == f"llama://sessions/{session_id}"
    assert (await connection.read(entry.uri)).startswith("# One")
    assert {"llama://server/status", "llama://sessions"} <= {item.uri for item in listed}


async def test_a_session_id_completes(connection: Connection) -> None:
    session_id = await chat(connection, "One")
    reference = ResourceTemplateReference(uri="llama://sessions/{session_id}")
    for typed, expected in ((session_id[:3], [session_id]), ("?", [])):
        answer = await connection.client.complete(reference, {"name": "session_id", "value": typed})
        assert answer.completion.values == expected


async def test_a_subscriber_of_the_initialize_era_hears_of_its_session_and_of_new_ones(
    llama_mcp: LlamaMCP,
) -> None:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        await client.call("start_llama_server")
        first = await client.call("chat", message="One", max_tokens=2)
        session_id = first["structuredContent"]["session_id"]
        uri = f"llama://sessions/{session_id}"
        await client.answer(await client.ask("resources/subscribe", uri=uri))
        arguments = {"message": "Two", "max_tokens": 2, "session_id": session_id}
        await client.ask("tools/call", name="chat", arguments=arguments)
        await heard(client, "notifications/resources/updated", uri)
        await client.answer(await client.ask("resources/unsubscribe", uri=uri))
        await client.ask("tools/call", name="chat", arguments={"message": "New", "max_tokens": 2})
        await heard(client, "notifications/resources/list_changed", None)


async def test_a_change_of_the_list_is_told_before_the_answer_to_the_call_that_made_it(
    llama_mcp: LlamaMCP,
) -> None:
    """A client may leave right after the answer, and the Python SDK's fails at what comes then."""
    async with raw_client(llama_mcp) as client:
        await client.hello()
        await client.call("start_llama_server")
        call = {"name": "chat", "arguments": {"message": "Hello", "max_tokens": 2}}
        request, told = await client.ask("tools/call", **call), list[str]()
        while "method" in (message := await client.next()):
            told.append(message["method"])
        assert message["id"] == request
        assert "notifications/resources/list_changed" in told


async def test_a_listener_of_2026_hears_of_its_session_and_of_new_ones(
    connection: Connection,
) -> None:
    session_id = await chat(connection, "One")
    uri = f"llama://sessions/{session_id}"
    kinds = set()
    async with connection.client.listen(
        resource_subscriptions=[uri], resources_list_changed=True
    ) as events:
        await chat(connection, "Two", session_id)
        await chat(connection, "New")
        with anyio.fail_after(PATIENCE_SECONDS):
            async for event in events:
                kinds.add(type(event).__name__)
                if len(kinds) == 2:
                    break
    assert kinds == {"ResourceUpdated", "ResourcesListChanged"}


async def heard(client: RawClient, method: str, uri: str | None) -> None:
    while True:
        message = await client.next()
        if message.get("method") == method:
            assert uri is None or message["params"]["uri"] == uri
            return
