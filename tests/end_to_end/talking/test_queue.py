"""More replies at once than llama-server has slots: who waits, who is next, and who is told."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from tests.fake_llama_server.install import install_fake, received_requests, set_faults
from tests.fake_llama_server.running import CHAT
from tests.support.client_process import Connection, LlamaMCP, Progress, text_of
from tests.support.processes import until

SENTENCE = "The quick brown fox jumps over the lazy dog."


@dataclass
class Visitor:
    """One who asks for a reply and hears of its way by status lines."""

    name: str
    progress: Progress = field(default_factory=Progress)
    reply: dict[str, Any] = field(default_factory=dict)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    async def chat(self, connection: Connection, **arguments: Any) -> None:
        with self.scope:
            self.reply = await connection.call(
                "chat", self.progress, message=self.name, stream="status", **arguments
            )

    def has_heard(self, line: str) -> bool:
        return any(message.startswith(line) for message in self.progress.messages)


def place(number: int) -> str:
    return f"waiting for a slot, at place {number}, behind "


@pytest.fixture
async def connection(llama_mcp: LlamaMCP, fake_folder: Path) -> AsyncIterator[Connection]:
    """One slot, and replies that stop after the third token until they are cancelled."""
    fake = install_fake(fake_folder, hang_at_token=3)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), PARALLEL="1")
    async with having.connect() as connection:
        await connection.call("start_llama_server")
        yield connection


async def hold_the_slot(connection: Connection) -> str:
    """Return the session of a reply that stays where it is until it is cancelled."""
    part = await connection.call("chat", message="h", wait_seconds=0)
    session_id: str = part["session_id"]
    await connection.reply_until(SENTENCE[:15], session_id)
    return session_id


async def queue_up(connection: Connection, tasks: TaskGroup, names: str) -> list[Visitor]:
    """Let visitors come, each when the one before it has been told its place."""
    visitors = [Visitor(name) for name in names]
    for number, visitor in enumerate(visitors, start=1):
        tasks.start_soon(visitor.chat, connection)
        await until(partial(visitor.has_heard, place(number)), f"{visitor.name} is {number}.")
    return visitors


async def until_waiting(connection: Connection, number: int) -> None:
    await connection.call_until(lambda status: status.get("waiting_turns", 0) == number, "status")


def served(folder: Path) -> str:
    """Return the names of those whom llama-server has seen, in order."""
    bodies = [request["body"] for request in received_requests(folder) if request["path"] == CHAT]
    return "".join(body["messages"][-1]["content"] for body in bodies)


async def test_who_waits_is_counted_told_its_place_and_served_in_the_order_of_coming(
    connection: Connection, fake_folder: Path
) -> None:
    holder = await hold_the_slot(connection)
    async with anyio.create_task_group() as tasks:
        a, b, c, d = await queue_up(connection, tasks, "abcd")
        status = await connection.result("status")
        assert status.structured_content is not None
        assert status.structured_content["slots"] == {"total": 1, "busy": 1}
        assert status.structured_content["waiting_turns"] == 4
        assert "4 turns waiting" in text_of(status)
        # One that leaves lets those behind it move up.
        b.scope.cancel()
        await until(lambda: c.has_heard(place(2)) and d.has_heard(place(3)), "they move up")
        assert not a.has_heard(place(2))
        set_faults(fake_folder)
        await connection.call("cancel_reply", session_id=holder)
    assert served(fake_folder) == "hacd"
    for visitor in (a, c, d):
        assert (visitor.reply["status"], visitor.reply["reply"]) == ("complete", SENTENCE)
        assert visitor.progress.rises
        assert all(len(line) <= 200 for line in visitor.progress.messages)
    assert "waiting_turns" not in await connection.call("status")


async def test_a_reply_whose_wait_is_over_keeps_its_place_in_the_queue(
    connection: Connection, fake_folder: Path
) -> None:
    holder = await hold_the_slot(connection)
    first = await connection.call("chat", message="a", wait_seconds=0)
    await until_waiting(connection, 1)
    waits = {"session_id": first["session_id"], "wait_seconds": 0}
    result = await connection.result("wait_for_reply", **waits)
    assert result.structured_content is not None
    note = f"Waits for a slot, at place 1, behind {holder}; wait_for_reply gives the reply."
    assert result.structured_content["status"] == "waiting"
    assert result.structured_content["notes"] == [note]
    assert text_of(result).endswith(f", waiting]\nNote: {note}")
    in_use = await connection.refusal("stop_llama_server")
    assert f"session {holder} (h) generates a reply in this llama-mcp" in in_use
    assert f"session {first['session_id']} (a) waits for a slot in this llama-mcp" in in_use
    async with anyio.create_task_group() as tasks:
        second = Visitor("b")
        tasks.start_soon(second.chat, connection)
        await until(lambda: second.has_heard(place(2)), "it waits behind the first")
        set_faults(fake_folder)
        await connection.call("cancel_reply", session_id=holder)
        whole = await connection.call("wait_for_reply", session_id=first["session_id"])
        assert (whole["status"], whole["reply"]) == ("complete", SENTENCE)
    assert served(fake_folder) == "hab"


async def test_a_reply_that_another_process_keeps_waiting_says_behind_which_session(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    # llama-server's own queue: it sends nothing, not even headers, while a request is in it.
    by_text = {"waits": {"hang_before_headers": True}}
    fake = install_fake(fake_folder, hang_at_token=3, by_text=by_text)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), PARALLEL="1")
    async with having.connect() as one, having.connect() as other:
        await one.call("start_llama_server")
        first = await one.call("chat", message="Go on", wait_seconds=0)
        await one.reply_until(SENTENCE[:15], first["session_id"])
        part = await other.call("chat", message="waits", wait_seconds=0)
        session = {"session_id": part["session_id"], "wait_seconds": 0}
        waits = await other.call_until(
            lambda part: part["status"] == "waiting", "wait_for_reply", **session
        )
        behind = f"Waits for a slot, behind {first['session_id']}; wait_for_reply gives the reply."
        assert waits["notes"] == [behind]
        # Nobody is before it any more: what keeps it waiting now is not known.
        await one.call("cancel_reply", session_id=first["session_id"])
        assert (await other.call("wait_for_reply", **session))["status"] == "in_progress"
        await other.call("cancel_reply", session_id=part["session_id"])
