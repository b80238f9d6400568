"""Nobody sees another's: whatever is asked of the archive, it tells of the asker's sessions."""

import inspect
import random
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.errors import LlamaMCPError
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import SessionNotFoundError
from llama_mcp.sessions.jobs import FinishedPiece, JobState
from llama_mcp.sessions.left_turns import StreamPoint
from llama_mcp.sessions.records import Session, TurnEnding, TurnStatus
from llama_mcp.sessions.session_ids import mint_session_id
from llama_mcp.sessions.sqlite.migrations import MIGRATIONS
from llama_mcp.sessions.sqlite.reading import Before
from llama_mcp.sessions.sqlite.searching import search_sessions
from llama_mcp.sessions.sqlite.store import Store
from llama_mcp.sessions.texts import utc_now
from tests.sessions.talk import start_writer
from tests.support.processes import until
from tests.support.quick import often

OWNERS = (LOCAL_OWNER, "alice", "bob")
OPERATIONS = often(60, in_a_soak=600)

# What has no owner, and why nobody can ask another's things by it.
OF_THE_FILE = {"notice", "exists", "last_change", "shorten_waits", "close"}
OF_A_TURN_THAT_WAS_BEGUN = {
    *("save_partial", "end_turn", "is_cancel_asked", "note_told", "set_cut", "earlier_underway"),
    "note_progress",
    *("begun_again", "reopen_turn", "begin_job", "save_piece", "end_job", "forget_pieces"),
    *("runs_of", "served_before", "count_other_sessions", "note_run"),
}
# Of all owners; what it tells says whose each session is, or is no more than an id asked for.
OF_THE_PROCESS = {
    *("left_turns", "stream_ids", "turns_underway", "existing_ids", "owners_of", "changes_since"),
}
OF_THE_MACHINE = {"owners"}


def public_methods() -> dict[str, Callable[..., Any]]:
    methods = inspect.getmembers(Archive, inspect.isfunction)
    return {name: method for name, method in methods if not name.startswith("_")}


def for_callers() -> dict[str, Callable[..., Any]]:
    return {
        name: method
        for name, method in public_methods().items()
        if "owner" in inspect.signature(method).parameters
    }


def test_every_method_of_the_archive_takes_an_owner_or_is_known_not_to_need_one() -> None:
    known = OF_THE_FILE | OF_A_TURN_THAT_WAS_BEGUN | OF_THE_PROCESS | OF_THE_MACHINE
    assert public_methods().keys() - for_callers().keys() == known
    for name, method in for_callers().items():
        owner = inspect.signature(method).parameters["owner"]
        assert owner.kind is owner.KEYWORD_ONLY and owner.default is owner.empty, name


@dataclass
class Model:
    """What each owner has: messages by session."""

    sessions: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    busy: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By session: its owner, and the turn under way."""

    def of(self, owner: str) -> dict[str, list[str]]:
        return self.sessions.setdefault(owner, {})

    def of_others(self, owner: str) -> list[str]:
        return [each for name, of in self.sessions.items() if name != owner for each in of]


@dataclass
class World:
    """Random operations of several owners, by two processes on one archive."""

    random: random.Random
    archives: tuple[Archive, Archive]
    model: Model = field(default_factory=Model)

    @property
    def archive(self) -> Archive:
        return self.random.choice(self.archives)

    def own(self, owner: str) -> str | None:
        """A session of the owner that is idle."""
        idle = [each for each in self.model.of(owner) if each not in self.model.busy]
        return self.random.choice(idle) if idle else None

    async def begin(self, owner: str) -> None:
        session_id = self.own(owner) if self.random.random() < 0.6 else None
        message = f"common words of-{owner} {self.random.randrange(1000)}"
        begun = await self.archive.begin_turn(
            session_id, message, owner=owner, model=f"model-of-{owner}", call=f"call of {owner}"
        )
        assert begun.owner == owner
        session_id = begun.session.session_id
        self.model.of(owner).setdefault(session_id, []).append(message)
        assert begun.turn == len(self.model.of(owner)[session_id])
        self.model.busy[session_id] = owner, begun.turn

    async def end(self, _owner: str) -> None:
        if self.model.busy:
            session_id = self.random.choice([*self.model.busy])
            owner, turn = self.model.busy.pop(session_id)
            ending = TurnEnding(status=TurnStatus.COMPLETE, reply=f"a reply of-{owner}")
            await self.archive.end_turn(session_id, turn, ending)

    async def rename(self, owner: str) -> None:
        if session_id := self.own(owner):
            await self.archive.update_session(session_id, f"title of-{owner}", owner=owner)

    async def fork(self, owner: str) -> None:
        if session_id := self.own(owner):
            fork = await self.archive.fork_session(session_id, owner=owner)
            self.model.of(owner)[fork.session_id] = [*self.model.of(owner)[session_id]]

    async def delete(self, owner: str) -> None:
        if session_id := self.own(owner):
            await self.archive.delete_session(session_id, owner=owner)
            del self.model.of(owner)[session_id]

    async def step(self) -> None:
        acts = (self.begin, self.begin, self.end, self.end, self.rename, self.fork, self.delete)
        await self.random.choice(acts)(self.random.choice(OWNERS))

    async def check(self, owner: str) -> None:
        """The owner sees all of its own, and nothing else, by whatever it asks."""
        archive, own = self.archive, self.model.of(owner)
        listed = await archive.list_sessions(limit=200, owner=owner)
        assert {each.session_id for each in listed.sessions} == own.keys()
        assert listed.total == len(own)
        newest = await archive.newest_sessions(200, owner=owner)
        assert [each.session_id for each in listed.sessions] == [each[0] for each in newest]
        assert set(await archive.complete_ids("", owner=owner)) == own.keys()
        ended = {each for each in own if self.ended(each)}
        found = await archive.list_sessions("common words", limit=200, owner=owner)
        assert {each.session_id for each in found.sessions} >= ended
        assert {each.session_id for each in found.sessions} <= own.keys()
        assert found.total == len(found.sessions)
        everybody = [*own, *self.model.of_others(owner)]
        unfinished = await archive.unfinished(everybody, owner=owner)
        assert unfinished.keys() == self.model.busy.keys() & own.keys()
        for session_id, messages in own.items():
            page = await archive.turns(session_id, owner=owner)
            assert [turn.message for turn in page.turns] == messages
        models = await archive.turn_statistics(owner=owner)
        assert {each.model for each in models} <= {f"model-of-{owner}"}
        told = repr((listed, newest, found, unfinished, models))
        for other in OWNERS:
            assert other == owner or f"of-{other}" not in told

    def ended(self, session_id: str) -> bool:
        messages = next(of[session_id] for of in self.model.sessions.values() if session_id in of)
        return len(messages) > (session_id in self.model.busy)


@pytest.mark.parametrize("seed", range(often(3, in_a_soak=20)))
async def test_whatever_several_owners_do_each_sees_all_of_its_own_and_nothing_else(
    archive: Archive, other: Archive, seed: int
) -> None:
    world = World(random.Random(seed), (archive, other))
    for number in range(OPERATIONS):
        await world.step()
        if number % 10 == 0:
            for owner in OWNERS:
                await world.check(owner)
    for owner in OWNERS:
        await world.check(owner)
        await check_that_others_never_were(world, owner)
    assert {*await archive.owners()} == {owner for owner in OWNERS if world.model.of(owner)}


async def check_that_others_never_were(world: World, owner: str) -> None:
    archive = world.archive
    for foreign in world.model.of_others(owner)[:3]:
        for name, method in for_callers().items():
            if "session_id" not in inspect.signature(method).parameters:
                continue
            for length in (len(foreign), 9):
                asked, never_was = foreign[:length], mint_session_id()[:length]
                seen = await outcome(archive, name, asked, owner)
                assert seen == await outcome(archive, name, never_was, owner), name
    (someone, *_) = [each for each in OWNERS if each != owner]
    assert await archive.cut_off_call(f"call of {someone}", owner=owner) is None


MORE_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "begin_turn": ("hello",),
    "ask_cancel": (1,),
    "job": (1,),
    "update_session": ("another title",),
}


async def outcome(archive: Archive, name: str, session_id: str, owner: str) -> str:
    """What is told of a session, without its id."""
    method: Callable[..., Awaitable[object]] = getattr(archive, name)
    try:
        told = await method(session_id, *MORE_ARGUMENTS.get(name, ()), owner=owner)
    except LlamaMCPError as error:
        return f"{type(error).__name__}: {error}".replace(session_id, "ID")
    return repr(told).replace(session_id, "ID")


async def test_another_ones_session_is_one_that_never_was(archive: Archive) -> None:
    begun = await archive.begin_turn(None, "a secret", owner="alice", stream_id="s", run="r")
    session_id = begun.session.session_id
    point = StreamPoint("s", "r")
    await archive.save_partial(session_id, begun.turn, "half a", "", point)
    await archive.begin_job(session_id, begun.turn, "call", JobState())
    for name in ("session", "turns", "last_turn", "next_turn", "fork_session", "delete_session"):
        with pytest.raises(SessionNotFoundError) as failure:
            await getattr(archive, name)(session_id, owner="bob")
        told = f"There is no session '{session_id}'. There is no session yet."
        assert failure.value.situation == told
    assert await archive.left_turn(session_id, owner="bob") is None
    assert await archive.adopt_turn(session_id, owner="bob") is None
    assert await archive.pieces_left("call", owner="bob") == ()
    with pytest.raises(SessionNotFoundError):
        await archive.ask_cancel(session_id, begun.turn, owner="bob")
    assert not await archive.is_cancel_asked(session_id, begun.turn)
    with pytest.raises(SessionNotFoundError):
        await archive.begin_turn(session_id, "more", owner="bob")
    assert (await archive.session(session_id, owner="alice")).turns == 1


async def test_what_a_process_has_left_is_taken_over_for_its_owner_only(
    archive: Archive, other: Archive
) -> None:
    begun = await archive.begin_turn(
        None, "a secret", owner="alice", stream_id="s", run="r", call="call"
    )
    session_id = begun.session.session_id
    await archive.close()  # and so its process has ended
    assert await other.left_turn(session_id, owner="bob") is None
    assert await other.cut_off_call("call", owner="bob") is None
    assert await other.adopt_turn(session_id, owner="bob") is None
    (left,) = await other.left_turns()
    assert (left.session_id, left.owner) == (session_id, "alice")
    assert await other.left_turn(session_id, owner="alice") is not None
    assert await other.cut_off_call("call", owner="alice") is not None
    adopted = await other.adopt_turn(left.session_id, owner=left.owner)
    assert adopted is not None and adopted.begun.owner == "alice"


async def test_the_pieces_of_a_job_that_broke_off_are_those_of_its_owner(archive: Archive) -> None:
    begun = await archive.begin_turn(None, "sum up", owner="alice")
    of_turn = begun.session.session_id, begun.turn
    await archive.begin_job(*of_turn, "call", JobState())
    piece = FinishedPiece(level=0, number=1, digest="d", file="a", lines=None, reply="a secret")
    await archive.save_piece(*of_turn, piece, JobState())
    await archive.end_turn(*of_turn, TurnEnding(status=TurnStatus.CANCELLED))
    assert await archive.pieces_left("call", owner="bob") == ()
    assert await archive.pieces_left("call", owner="alice") == (piece,)


async def test_those_who_wait_behind_others_know_how_many_and_not_who(archive: Archive) -> None:
    for owner in ("alice", "alice", "bob"):
        # No two of them in one millisecond.
        await until(partial(lambda moment: utc_now() > moment, utc_now()), "time passes")
        begun = await archive.begin_turn(None, "hello", owner=owner, run="run")
    first, *_ = await archive.newest_sessions(10, owner="bob")
    earlier = await archive.earlier_underway(begun.session.session_id, "run")
    assert (first[0], earlier.own, earlier.others) == (begun.session.session_id, (), 2)


async def test_each_change_says_whose_it_is(archive: Archive, other: Archive) -> None:
    told: list[tuple[str, str, bool]] = []
    watched = Archive(archive._database._path, lambda *change: told.append(change))
    of_alice = (await other.begin_turn(None, "hello", owner="alice")).session.session_id
    mark = (await archive.changes_since(None)).mark
    of_bob = (await watched.begin_turn(None, "hello", owner="bob")).session.session_id
    await watched.update_session(of_alice, "a title", owner="alice")
    seen = await archive.changes_since(mark)
    assert [*seen.changed] == [(of_bob, "bob"), (of_alice, "alice")]
    assert seen.lists_changed == {"bob"}
    assert told == [(of_bob, "bob", True), (of_alice, "alice", False)]
    await watched.close()


async def test_two_processes_of_two_owners_fill_one_archive_and_see_their_own(
    archive: Archive, path: Path
) -> None:
    ids = {
        owner: (await archive.begin_turn(None, "hello", owner=owner)).session.session_id
        for owner in ("alice", "bob")
    }
    for session_id in ids.values():
        await archive.end_turn(session_id, 1, TurnEnding(status=TurnStatus.COMPLETE, reply="hi"))
    writers = [
        start_writer("append", path, session_id, f"of-{owner}", 30, owner)
        for owner, session_id in ids.items()
    ]
    trespasser = start_writer("append", path, ids["alice"], "of-bob", 2, "bob")
    assert [writer.communicate()[0] for writer in writers] == ["done\n", "done\n"]
    assert trespasser.communicate()[0] == "not found\n"
    for owner, session_id in ids.items():
        found = await archive.list_sessions(limit=100, owner=owner)
        texts = [
            turn.message
            for session in found.sessions
            for turn in (await archive.turns(session.session_id, owner=owner)).turns
        ]
        own = [text for text in texts if text != "hello"]
        assert len(own) == 30 + (owner == "bob")
        assert {text.split()[0] for text in own} == {f"of-{owner}"}
        assert session_id in {session.session_id for session in found.sessions}


def _statements(store: Store, work: Callable[[], object]) -> list[str]:
    seen: list[str] = []
    store.connection.set_trace_callback(seen.append)
    work()
    store.connection.set_trace_callback(None)
    return [each for each in seen if each.lstrip().startswith(("SELECT", "WITH"))]


def test_no_list_of_one_owner_reads_the_sessions_of_all(path: Path) -> None:
    store = Store(path)
    before = Before()
    words = ("", "word", "two words", "wor", "?!")
    for query in words:
        search = partial(search_sessions, store, query, 20, before, "alice")
        statements = _statements(store, search)
        for statement in statements:
            plan = store.connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
            steps = [row["detail"] for row in plan]
            assert not [step for step in steps if step in ("SCAN sessions", "SCAN turns")], (
                statement,
                steps,
            )
    store.close()


async def few_among_many(archive: Archive, path: Path, many: int, few: int) -> list[str]:
    """Have many sessions of alice, and a few of bob between them; return bob's, oldest first."""
    of_bob = []
    for number in range(many):
        owner = "bob" if number % (many // few) == 0 else "alice"
        begun = await archive.begin_turn(None, f"common {owner} {number}", owner=owner)
        session_id = begun.session.session_id
        await archive.end_turn(session_id, 1, TurnEnding(status=TurnStatus.COMPLETE, reply="hi"))
        of_bob += [session_id] if owner == "bob" else []
    return of_bob


async def test_a_common_word_is_found_in_the_few_sessions_of_one_among_many_of_others(
    archive: Archive, path: Path
) -> None:
    of_bob = await few_among_many(archive, path, many=120, few=4)
    found = await archive.list_sessions("common", limit=3, owner="bob")
    assert [each.session_id for each in found.sessions] == of_bob[:0:-1]
    assert (found.total, found.note) == (4, None)
    rest = await archive.list_sessions("common", 3, found.next_before, owner="bob")
    assert [each.session_id for each in rest.sessions] == of_bob[:1]
    assert (rest.total, rest.next_before) == (4, None)
    nothing = await archive.list_sessions("common alice", limit=3, owner="bob")
    assert "No session has all of these words" in (nothing.note or "")
    assert {each.session_id for each in nothing.sessions} <= {*of_bob}
    none = await archive.list_sessions("alice", owner="bob")
    assert (none.total, none.sessions) == (0, ())
    assert none.note == "Searched 4 sessions: none has this word."


async def test_sessions_of_an_older_archive_are_those_of_this_machine(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        older.create_function("searchable", 2, lambda *texts: "\n".join(texts))
        with monkeypatch.context() as patch:
            whole = "say whose each session is"
            before = next(i for i, step in enumerate(MIGRATIONS) if step.name == whole)
            patch.setattr("llama_mcp.sessions.sqlite.migrations.MIGRATIONS", MIGRATIONS[:before])
            from llama_mcp.sessions.sqlite.migrations import migrate

            migrate(older)
        _insert_session(older, "2222-2222-2222", 1)
        archive = Archive(path)
        assert [each.session_id for each in await sessions_of(archive)] == ["2222-2222-2222"]
        # An older llama-mcp that has the file open goes on.
        _insert_session(older, "3333-3333-3333", 2)
        assert (await archive.list_sessions(owner=LOCAL_OWNER)).total == 2
        older.execute("DELETE FROM sessions WHERE session_id = '2222-2222-2222'")
        assert [each.session_id for each in await sessions_of(archive)] == ["3333-3333-3333"]
        assert await archive.owners() == (LOCAL_OWNER,)
        await archive.close()


async def sessions_of(archive: Archive, owner: str = LOCAL_OWNER) -> tuple[Session, ...]:
    found = await archive.list_sessions(owner=owner)
    assert found.total == len(found.sessions)
    return found.sessions


def _insert_session(connection: sqlite3.Connection, session_id: str, change: int) -> None:
    connection.execute("UPDATE totals SET last_change = ?", (change,))
    connection.execute(
        "INSERT INTO sessions (session_id, title, created_at_utc, updated_at_utc, last_change,"
        " turn_count) VALUES (?, 'title', '', '', ?, 0)",
        (session_id, change),
    )
