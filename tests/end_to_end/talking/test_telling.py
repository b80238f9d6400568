"""What callers pay for: nothing is told twice, and text and structure each stand alone."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.types import CallToolResult

from llama_mcp.surface.results.replies import RECEIPT
from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import Connection, LlamaMCP, Progress, text_of
from tests.support.processes import until

WORDS = "The quick brown fox jumps over the lazy dog."
PART = "The quick brown"


@pytest.fixture
def holding(llama_mcp: LlamaMCP, fake_folder: Path) -> LlamaMCP:
    """Its replies stop after the third token until the test lets them go on."""
    fake = install_fake(fake_folder, hold_at_token=3)
    return llama_mcp.having(LLAMA_CPP_PATH=str(fake))


@pytest.fixture
async def connection(holding: LlamaMCP) -> AsyncIterator[Connection]:
    async with holding.connect() as connection:
        await connection.call("start_llama_server")
        yield connection


async def begin(connection: Connection) -> tuple[dict[str, Any], dict[str, Any]]:
    """Begin a reply that stops in the middle; return the first result and the session."""
    part = await connection.call("chat", message="Go on", wait_seconds=0)
    session = {"session_id": part["session_id"]}
    await connection.reply_until(PART, **session)
    return part, session


async def test_each_poll_of_a_reply_gives_what_the_one_before_it_did_not(
    connection: Connection, fake_folder: Path
) -> None:
    part, session = await begin(connection)
    more = await connection.call("wait_for_reply", wait_seconds=0, **session)
    assert part["reply"] + more["reply"] == PART
    nothing = await connection.call("wait_for_reply", wait_seconds=0, **session)
    assert (nothing["status"], nothing["reply"]) == ("in_progress", "")
    assert nothing["notes"] == [
        "The reply is still being generated; wait_for_reply gives the rest."
    ]
    set_faults(fake_folder)
    end = await connection.call("wait_for_reply", **session)
    assert (end["status"], end["reply"]) == ("complete", WORDS.removeprefix(PART))
    again = await connection.call("wait_for_reply", **session)
    assert (again["status"], again["reply"]) == ("complete", "")
    assert end["usage"] and "usage" not in again and "read_session" in again["notes"][0]
    # Whoever needs it again reads it.
    page = await connection.call("read_session", **session)
    assert page["turns"][0]["reply"] == WORDS


async def test_a_wait_that_its_client_gave_up_has_told_nothing(
    connection: Connection, fake_folder: Path
) -> None:
    part, session = await begin(connection)
    heard = Progress()

    async def wait(progress: Progress) -> None:
        await connection.result("wait_for_reply", progress, **session)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, heard)
        await until(lambda: bool(heard.text), "the wait has begun")
        tasks.cancel_scope.cancel()
    set_faults(fake_folder)
    end = await connection.call("wait_for_reply", **session)
    assert part["reply"] + end["reply"] == WORDS


async def test_of_two_calls_that_wait_for_the_same_reply_each_is_told_the_end(
    connection: Connection, fake_folder: Path
) -> None:
    part, session = await begin(connection)
    ends: list[dict[str, Any]] = []

    async def wait() -> None:
        ends.append(await connection.call("wait_for_reply", **session))

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        # Requests are begun in the order in which they come: both wait when this is answered.
        await connection.call("status")
        set_faults(fake_folder)
    assert [part["reply"] + end["reply"] for end in ends] == [WORDS, WORDS]


async def test_another_process_is_told_a_reply_from_its_beginning_and_only_once(
    connection: Connection, holding: LlamaMCP, fake_folder: Path
) -> None:
    _, session = await begin(connection)
    async with holding.connect() as other:
        part = await other.call("wait_for_reply", wait_seconds=0, **session)
        assert (part["status"], part["reply"]) == ("in_progress", PART)
        set_faults(fake_folder)
        end = await other.call("wait_for_reply", **session)
        assert (end["status"], end["reply"]) == ("complete", WORDS.removeprefix(PART))
        again = await other.call("cancel_reply", **session)
        assert (again["status"], again["reply"]) == ("complete", "")
        assert any("stopped nothing" in note for note in again["notes"])


async def test_a_cancel_gives_what_was_not_told_and_a_second_one_says_that_it_stopped_nothing(
    connection: Connection,
) -> None:
    part, session = await begin(connection)
    stopped = await connection.call("cancel_reply", **session)
    assert (stopped["status"], part["reply"] + stopped["reply"]) == ("cancelled", PART)
    result = await connection.result("cancel_reply", **session)
    note = "The reply had ended before this call, which has stopped nothing."
    assert structure(result)["notes"][0] == note and f"Note: {note}" in text_of(result)


async def test_a_chat_costs_its_reply_and_one_line_in_text_and_structure_alike(
    connection: Connection, fake_folder: Path
) -> None:
    data = {"name": "Ada", "year": 1815, "machines": ["Analytical Engine"]}
    for reply, arguments in (
        ("4", {}),
        ("Rome is the capital of Italy.", {"max_tokens": 60}),
        (json.dumps(data), {"json_schema": {"type": "object"}}),
    ):
        set_faults(fake_folder, reply=reply)
        result = await connection.result("chat", message="Well?", **arguments)
        told = structure(result)
        compact = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
        assert len(compact) <= 1.3 * len(text_of(result)), compact
        assert ("reply" in told) != ("parsed" in told)
        assert result.meta is not None
        beside = result.meta[RECEIPT]
        assert beside["timing"]["total_ms"] > 0 and beside["receipt"]["queue_ms"] >= 0
        assert beside.get("sampling", {}) == arguments


def structure(result: CallToolResult) -> dict[str, Any]:
    content = result.structured_content
    assert isinstance(content, dict), text_of(result)
    return content
