"""Who gets a slot, and in which order."""

from dataclasses import dataclass, field
from functools import partial

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.turns.slot_queue import Place, SlotQueue


@dataclass
class Visits:
    """Visitors of one queue, each of whom keeps its slot until its door opens."""

    slots: int
    queue: SlotQueue = field(default_factory=SlotQueue)
    entered: list[int] = field(default_factory=list)
    places: dict[int, list[Place | None]] = field(default_factory=dict)
    doors: dict[int, anyio.Event] = field(default_factory=dict)

    async def visit(self, number: int) -> None:
        self.places[number], self.doors[number] = [], anyio.Event()
        async with self.queue.slot(
            str(number), self.slots, self.places[number].append, owner=LOCAL_OWNER
        ):
            self.entered.append(number)
            await self.doors[number].wait()

    async def leave(self, number: int) -> None:
        self.doors[number].set()
        await anyio.wait_all_tasks_blocked()


async def test_as_many_as_there_are_slots_go_in_and_the_others_follow_in_order() -> None:
    visits = Visits(slots=2)
    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(visits.visit, number)
            await anyio.wait_all_tasks_blocked()
        assert visits.entered == [0, 1]
        assert visits.queue.waiting == 3
        for number in range(5):
            await visits.leave(number)
    assert visits.entered == [0, 1, 2, 3, 4]
    assert visits.places[4] == [
        Place(3, ("0", "1", "2", "3")),
        Place(2, ("1", "2", "3")),
        Place(1, ("2", "3")),
        None,
    ]
    assert visits.queue.waiting == 0


async def test_slots_that_an_engine_has_more_or_fewer_of_count_at_once() -> None:
    visits = Visits(slots=1)
    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(visits.visit, number)
            await anyio.wait_all_tasks_blocked()
        assert visits.entered == [0]
        visits.slots = 3
        tasks.start_soon(visits.visit, 4)
        await anyio.wait_all_tasks_blocked()
        assert visits.entered == [0, 1, 2], "who waited goes in before who came"
        visits.slots = 1
        tasks.start_soon(visits.visit, 5)
        await anyio.wait_all_tasks_blocked()
        await visits.leave(0)
        await visits.leave(1)
        assert visits.entered == [0, 1, 2], "one still holds the only slot"
        await visits.leave(2)
        assert visits.entered == [0, 1, 2, 3]
        for number in (3, 4, 5):
            await visits.leave(number)
    assert visits.entered == [0, 1, 2, 3, 4, 5]


def test_a_place_names_the_next_three_before_it_and_counts_the_others() -> None:
    assert str(Place(1, ("a",))) == "at place 1, behind a"
    assert str(Place(None, ("a",))) == "behind a"
    assert str(Place(1, ("a", "b", "c"))) == "at place 1, behind a, b, c"
    assert str(Place(2, ("a", "b", "c", "d", "e"))) == "at place 2, behind a, b, c and 2 more"
    assert str(Place(2, ("a",), 3)) == "at place 2, behind a and 3 of others"
    assert str(Place(1, (), 1)) == "at place 1, behind 1 of others"


async def test_one_that_stops_waiting_gives_its_place_to_the_next() -> None:
    visits = Visits(slots=1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(visits.visit, 0)
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as impatient:
            impatient.start_soon(visits.visit, 1)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(visits.visit, 2)
            await anyio.wait_all_tasks_blocked()
            impatient.cancel_scope.cancel()
        await visits.leave(0)
        await visits.leave(2)
    assert visits.entered == [0, 2]


async def test_one_that_is_called_and_cancelled_at_once_does_not_keep_the_slot() -> None:
    visits = Visits(slots=1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(visits.visit, 0)
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as doomed:
            doomed.start_soon(visits.visit, 1)
            await anyio.wait_all_tasks_blocked()
            visits.doors[0].set()  # called, ...
            doomed.cancel_scope.cancel()  # ... and cancelled before it runs
        tasks.start_soon(visits.visit, 2)
        await anyio.wait_all_tasks_blocked()
        await visits.leave(2)
    assert visits.entered[-1] == 2


async def test_pieces_of_jobs_wait_until_no_conversation_does() -> None:
    queue, entered, doors = SlotQueue(), list[str](), dict[str, anyio.Event]()
    places: dict[str, list[Place | None]] = {}

    async def visit(name: str, session_id: str, *, is_piece: bool) -> None:
        doors[name], places[name] = anyio.Event(), []
        async with queue.slot(
            session_id, 1, places[name].append, is_piece=is_piece, owner=LOCAL_OWNER
        ):
            entered.append(name)
            await doors[name].wait()

    async with anyio.create_task_group() as tasks:
        for name, session_id, is_piece in (
            ("first", "job", True),
            ("second", "job", True),
            ("third", "job", True),
            ("chat", "chat", False),
        ):
            start = partial(visit, name, session_id, is_piece=is_piece)
            tasks.start_soon(start)
            await anyio.wait_all_tasks_blocked()
        assert queue.waiting == 1
        assert places["chat"] == [Place(1, ("job",))]
        assert places["third"][-1] == Place(3, ("chat",))
        for name in ("first", "chat", "second", "third"):
            doors[name].set()
            await anyio.wait_all_tasks_blocked()
    assert entered == ["first", "chat", "second", "third"]


async def test_a_piece_that_stops_waiting_leaves_the_queue() -> None:
    queue, tells = SlotQueue(), list[Place | None]()
    async with (
        queue.slot("chat", 1, tells.append, owner=LOCAL_OWNER),
        anyio.create_task_group() as tasks,
    ):

        async def wait() -> None:
            async with queue.slot("job", 1, tells.append, is_piece=True, owner=LOCAL_OWNER):
                raise AssertionError("it has no slot")

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    async with queue.slot("chat", 1, tells.append, owner=LOCAL_OWNER):
        assert queue.waiting == 0


async def test_one_owner_cannot_fill_the_queue_and_no_session_of_another_is_named() -> None:
    queue, entered, doors = SlotQueue(), list[str](), dict[str, anyio.Event]()
    places: dict[str, list[Place | None]] = {}

    async def visit(name: str, owner: str) -> None:
        doors[name], places[name] = anyio.Event(), []
        async with queue.slot(name, 1, places[name].append, owner=owner):
            entered.append(name)
            await doors[name].wait()

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(visit, f"ann {number}", "ann")
            await anyio.wait_all_tasks_blocked()
        tasks.start_soon(visit, "bob 0", "bob")
        await anyio.wait_all_tasks_blocked()
        assert places["bob 0"] == [Place(1, (), 1)]
        assert places["ann 1"][-1] == Place(2, ("ann 0",), 1)
        for name in ("ann 0", "bob 0", "ann 1", "ann 2", "ann 3"):
            doors[name].set()
            await anyio.wait_all_tasks_blocked()
    assert entered == ["ann 0", "bob 0", "ann 1", "ann 2", "ann 3"]
    assert not queue.is_used


@dataclass(frozen=True)
class Visitor:
    """Whose it is, and how, when and how fast it leaves."""

    owner: str
    is_piece: bool
    is_cancelled: bool
    leaves_at: int
    others_go_meanwhile: bool


VISITORS = st.lists(
    st.builds(
        Visitor,
        owner=st.sampled_from(["ann", "bob", "eve"]),
        is_piece=st.booleans(),
        is_cancelled=st.booleans(),
        leaves_at=st.integers(0, 9),
        others_go_meanwhile=st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(VISITORS, st.integers(1, 3))
async def test_whoever_is_cancelled_at_any_moment_no_slot_is_lost(
    visitors: list[Visitor], slots: int
) -> None:
    queue, inside, scopes = SlotQueue(), set[int](), dict[int, anyio.CancelScope]()
    doors = [anyio.Event() for _ in visitors]

    async def visit(number: int, visitor: Visitor) -> None:
        owner, is_piece = visitor.owner, visitor.is_piece
        tell: list[object] = []
        with anyio.CancelScope() as scopes[number]:
            async with queue.slot(str(number), slots, tell.append, owner=owner, is_piece=is_piece):
                inside.add(number)
                assert len(inside) <= slots
                try:
                    await doors[number].wait()
                finally:
                    inside.discard(number)

    async with anyio.create_task_group() as tasks:
        for number, visitor in enumerate(visitors):
            tasks.start_soon(visit, number, visitor)
        await anyio.wait_all_tasks_blocked()
        assert len(inside) == min(slots, len(visitors))
        for number, visitor in sorted(enumerate(visitors), key=lambda each: each[1].leaves_at):
            if visitor.is_cancelled:
                scopes[number].cancel()
            else:
                doors[number].set()
            if visitor.others_go_meanwhile:
                await anyio.wait_all_tasks_blocked()
    assert not queue.is_used
