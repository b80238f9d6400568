"""Clients that give each request a short time, and replies that take longer than that."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.types import CallToolResult

from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import Connection, LlamaMCP, Progress, text_of
from tests.support.processes import PATIENCE_SECONDS, until

# What 60 s are to a reply of three minutes, a twentieth of it.
LIMIT_SECONDS = 3.0
WAIT_SECONDS = 0.5
TOKENS = [f"{number} " for number in range(80)]
TOKEN_SECONDS = 0.05
assert len(TOKENS) * TOKEN_SECONDS > LIMIT_SECONDS


@pytest.fixture
def slow(llama_mcp: LlamaMCP, tmp_path: Path) -> LlamaMCP:
    """Its replies take longer than the client's limit."""
    fake = install_fake(tmp_path / "fake", reply_tokens=TOKENS, token_delay_seconds=TOKEN_SECONDS)
    return llama_mcp.having(LLAMA_CPP_PATH=str(fake))


async def within_limit(
    connection: Connection, tool: str, progress: Progress, **arguments: Any
) -> dict[str, Any]:
    """Call as a client does that gives up on a request after LIMIT_SECONDS."""
    result = await connection.client.call_tool(
        tool, arguments, LIMIT_SECONDS, progress_callback=progress.take
    )
    assert isinstance(result, CallToolResult) and not result.is_error, text_of(result)
    structure: dict[str, Any] | None = result.structured_content
    assert structure is not None
    return structure


async def test_a_reply_that_outlasts_the_clients_limit_arrives_without_a_token_lost(
    slow: LlamaMCP, era: str
) -> None:
    async with slow.connect(era) as connection:
        await connection.call("start_llama_server")
        calls = [Progress()]
        part = await within_limit(
            connection, "chat", calls[0], message="Go on", wait_seconds=WAIT_SECONDS
        )
        session = {"session_id": part["session_id"]}
        while part["status"] == "in_progress":
            calls.append(Progress())
            part = await within_limit(
                connection, "wait_for_reply", calls[-1], wait_seconds=WAIT_SECONDS, **session
            )
        assert part["status"] == "complete"
        assert "".join(call.text for call in calls) == part["reply"] == "".join(TOKENS)
        assert all(call.rises for call in calls)
        # A call goes on where the one before it ended, in tokens too.
        values = [value for call in calls for value in call.values]
        assert values == sorted(values)


async def test_a_wait_that_its_caller_gives_up_stops_nothing_and_loses_nothing(
    slow: LlamaMCP, tmp_path: Path, era: str
) -> None:
    async with slow.connect(era) as connection:
        await connection.call("start_llama_server")
        set_faults(tmp_path / "fake", reply_tokens=TOKENS, token_delay_seconds=0.02)
        first, given_up, last = Progress(), Progress(), Progress()
        part = await connection.call("chat", first, message="Go on", wait_seconds=0.2)
        session = {"session_id": part["session_id"]}
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                await connection.result("wait_for_reply", given_up, **session)

            tasks.start_soon(wait)
            await until(lambda: len(given_up.text) > 20, "the wait is told of new text")
            tasks.cancel_scope.cancel()
        whole = await connection.call("wait_for_reply", last, **session)
        assert whole["status"] == "complete"
        # What a call told that was never answered is told again.
        assert first.text + last.text == whole["reply"] == "".join(TOKENS)
        assert last.text.startswith(given_up.text)


async def test_a_reply_that_nobody_waits_for_is_finished_and_archived(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.having(EXTRA_ARGS="-t 1").connect() as connection:
        await connection.call("start_llama_server")
        part = await connection.call("chat", message="Go on", max_tokens=300, wait_seconds=0)
        assert part["status"] == "in_progress"
        turn = await ended_turn(connection, part["session_id"])
        assert turn["status"] == "complete"
        assert turn["usage"]["completion_tokens"] == len(turn["reply"]) == 300


async def ended_turn(connection: Connection, session_id: str) -> dict[str, Any]:
    """Return the session's last turn once it is over, without asking for the reply."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            page = await connection.call("read_session", session_id=session_id)
            turn: dict[str, Any] = page["turns"][-1]
            if turn["status"] != "in_progress":
                return turn
            await anyio.sleep(0.05)
