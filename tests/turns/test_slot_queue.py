"""Who gets a slot, and in which order."""

import anyio

from llama_mcp.turns.slot_queue import SlotQueue


async def test_as_many_as_there_are_slots_go_in_and_the_others_follow_in_order() -> None:
    queue = SlotQueue()
    entered: list[int] = []
    places: dict[int, list[int]] = {number: [] for number in range(5)}
    doors = [anyio.Event() for _ in range(5)]

    async def visit(number: int) -> None:
        async with queue.slot(2, places[number].append):
            entered.append(number)
            await doors[number].wait()

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(visit, number)
            await anyio.wait_all_tasks_blocked()
        assert entered == [0, 1]
        assert queue.waiting == 3
        for number in range(5):
            doors[number].set()
            await anyio.wait_all_tasks_blocked()
    assert entered == [0, 1, 2, 3, 4]
    assert places[4] == [3, 2, 1, 0]
    assert queue.waiting == 0


async def test_one_that_stops_waiting_gives_its_place_to_the_next() -> None:
    queue = SlotQueue()
    door, entered = anyio.Event(), []

    async def visit(number: int) -> None:
        async with queue.slot(1, lambda _place: None):
            entered.append(number)
            await door.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(visit, 0)
        await anyio.wait_all_tasks_blocked()
        impatient = anyio.CancelScope()

        async def wait_in_vain() -> None:
            with impatient:
                await visit(1)

        tasks.start_soon(wait_in_vain)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(visit, 2)
        await anyio.wait_all_tasks_blocked()
        impatient.cancel()
        await anyio.wait_all_tasks_blocked()
        door.set()
    assert entered == [0, 2]


async def test_one_that_is_called_and_cancelled_at_once_does_not_keep_the_slot() -> None:
    queue = SlotQueue()
    door, entered = anyio.Event(), []

    async def visit(number: int) -> None:
        async with queue.slot(1, lambda _place: None):
            entered.append(number)
            await door.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(visit, 0)
        await anyio.wait_all_tasks_blocked()
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as doomed:
                doomed.start_soon(visit, 1)
                await anyio.wait_all_tasks_blocked()
                door.set()  # called, ...
                scope.cancel()  # ... and cancelled before it runs
        tasks.start_soon(visit, 2)
    assert entered[-1] == 2
