"""One turn, from the first token to the archive, and what those hear who follow it."""

import os
import signal
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.llama_server.ready_server import ANY_SERVER, ReadyServer, WantedServer
from llama_mcp.llama_server.supervisor import Supervisor
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.errors import TurnFailedError
from llama_mcp.turns.in_flight import InFlight
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.turn import Turn
from llama_mcp.turns.underway import BUG
from tests.support.processes import PATIENCE_SECONDS, until
from tests.turns.conftest import PART, SENTENCE, Room

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows


class Listener:
    """Takes what is new of a reply at every report, as progress does."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._pieces = 0

    async def report(self, reply: PartialReply) -> float:
        if len(reply.pieces) > self._pieces:
            self.heard.append("".join(reply.pieces[self._pieces :]))
            self._pieces = len(reply.pieces)
        return 0.0


def has_heard(listener: Listener, text: str) -> bool:
    return "".join(listener.heard) == text


async def test_a_turn_is_in_the_archive_before_its_followers_hear_that_it_is_over(
    room: Room, home: Path, other: Archive
) -> None:
    turn = await room.begin("hello")
    with closing(sqlite3.connect(home / "sessions.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        await until(lambda: bool(turn.reply.usage_chunk), "the whole reply was received")
        assert not turn.is_over
        assert turn.snapshot().status is TurnStatus.IN_PROGRESS
    with anyio.fail_after(PATIENCE_SECONDS):
        await turn.following.wait_until_over()
    archived = await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (archived.status, archived.reply) == (TurnStatus.COMPLETE, SENTENCE)
    result = await turn.deliver()
    assert result.usage == archived.usage and result.receipt == archived.receipt


async def test_everybody_who_follows_a_reply_hears_all_of_it_in_order(room: Room) -> None:
    room.set_faults(hold_at_token=3)
    turn = await room.begin("hello")
    listeners = [Listener() for _ in range(3)]
    async with anyio.create_task_group() as tasks:
        for listener in listeners:
            tasks.start_soon(turn.following.follow, PATIENCE_SECONDS, listener.report)
        for listener in listeners:
            await until(partial(has_heard, listener, PART), "it hears the first part")
        room.set_faults()
    for listener in listeners:
        await listener.report(turn.reply)
        assert "".join(listener.heard) == SENTENCE
        assert len(listener.heard) > 1


# A reply and a schema that it takes ages to check it against.
ENDLESS_REPLY = '"' + "a" * 40 + '!"'
ENDLESS = Sampling(json_schema={"pattern": "^(a|a)*$"})


async def begin_endless_check(room: Room, other: Archive) -> Turn:
    """Begin a turn and return it once its reply is whole, saved and being checked."""
    room.set_faults(reply_tokens=[ENDLESS_REPLY])
    request = ChatRequest(message="hello", sampling=ENDLESS, owner=LOCAL_OWNER)
    turn = await room.in_flight.take_turn(request)
    with anyio.fail_after(PATIENCE_SECONDS):
        while (await other.last_turn(turn.session_id, owner=LOCAL_OWNER)).reply != ENDLESS_REPLY:
            await anyio.sleep(0.01)
    return turn


async def test_a_cancel_while_the_whole_reply_is_checked_leaves_it_complete(
    room: Room, other: Archive
) -> None:
    turn = await begin_endless_check(room, other)
    given = await room.in_flight.cancel(turn.session_id, owner=LOCAL_OWNER)
    assert (given.status, given.reply) == (TurnStatus.COMPLETE, ENDLESS_REPLY)
    archived = await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (archived.status, archived.reply) == (TurnStatus.COMPLETE, ENDLESS_REPLY)


async def test_a_whole_reply_is_kept_before_it_is_checked(room: Room, other: Archive) -> None:
    turn = await begin_endless_check(room, other)
    archived = await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (archived.status, archived.reply) == (TurnStatus.IN_PROGRESS, ENDLESS_REPLY)
    await room.in_flight.cancel(turn.session_id, owner=LOCAL_OWNER)


async def test_a_follower_that_leaves_does_not_end_the_turn(room: Room) -> None:
    turn = await room.begin_hanging("hello")
    await turn.following.follow(0.0, Listener().report)
    assert not turn.is_over
    reply = await turn.deliver()
    assert (reply.status, reply.reply) == (TurnStatus.IN_PROGRESS, PART)


async def test_what_a_caller_was_given_is_in_the_archive(room: Room, other: Archive) -> None:
    turn = await room.begin_hanging("hello")
    given = await turn.deliver()
    archived = await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (given.reply, archived.reply) == (PART, PART)
    assert archived.status is TurnStatus.IN_PROGRESS


async def test_a_reply_that_breaks_off_is_an_error_and_archived_as_far_as_it_came(
    room: Room, other: Archive
) -> None:
    room.set_faults(die_at_token={"n": 3, "signal": 9}, no_continuation=True)
    turn = await room.complete("hello")
    with pytest.raises(TurnFailedError, match=rf"(?s)SIGKILL.*{PART}"):
        await turn.deliver()
    archived = await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (archived.status, archived.reply) == (TurnStatus.FAILED, PART)
    assert "SIGKILL" in (archived.error or "")


async def test_a_reply_that_is_cancelled_as_it_breaks_off_is_no_failure(
    room: Room, other: Archive
) -> None:
    turn = await room.begin_hanging("hello")
    pid = (await room.services.supervisor.status()).pid
    assert pid is not None
    room.set_faults(no_continuation=True)
    is_let_go = threading.Event()
    async with anyio.create_task_group() as tasks:
        # Before it fails it asks the archive whether it was cancelled elsewhere, and has to wait.
        tasks.start_soon(room.services.archive._run, lambda _store: is_let_go.wait())
        os.kill(pid, signal.Signals["SIGKILL"])
        await until(lambda: turn.error is not None, "it is known what broke it off")
        tasks.start_soon(turn.cancel)
        await anyio.wait_all_tasks_blocked()
        is_let_go.set()
    assert (await turn.deliver()).status is TurnStatus.CANCELLED
    archived = await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (archived.status, archived.reply) == (TurnStatus.CANCELLED, PART)
    assert archived.error is None


async def test_a_process_that_ends_leaves_its_turn_interrupted_with_what_came(
    open_room: Any, other: Archive
) -> None:
    async with open_room(finish_seconds=0) as room:
        await room.start_llama_server()
        turn: Turn = await room.begin_hanging("hello")
        room.services.announce_shutdown()
    archived = await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (archived.status, archived.reply) == (TurnStatus.INTERRUPTED, PART)
    assert "ask the model to go on" in archived.notes[-1]


class NonsenseServers:
    """Gives real llama-servers, with a count of slots that is not a number."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def ready_server(self, wanted: WantedServer = ANY_SERVER) -> ReadyServer:
        server = await self._supervisor.ready_server(wanted)
        return replace(server, total_slots="two")  # type: ignore[arg-type]  # that is the nonsense


async def test_a_bug_ends_one_turn_and_no_other(
    room: Room, other: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    healthy = await room.begin_hanging("hello")
    servers = NonsenseServers(room.services.supervisor)
    async with anyio.create_task_group() as tasks:
        archive = room.services.archive
        left = room.in_flight.left
        buggy = InFlight(servers, left, archive, tasks, traces_content=False)
        broken = await buggy.take_turn(ChatRequest(message="hello", owner=LOCAL_OWNER))
        with anyio.fail_after(PATIENCE_SECONDS):
            await broken.following.wait_until_over()
    with pytest.raises(TurnFailedError, match=BUG):
        await broken.deliver()
    assert (await other.last_turn(broken.session_id, owner=LOCAL_OWNER)).status is TurnStatus.FAILED
    assert "TypeError" in caplog.text
    assert not healthy.is_over
    assert (await room.in_flight.cancel(healthy.session_id, owner=LOCAL_OWNER)).reply == PART
