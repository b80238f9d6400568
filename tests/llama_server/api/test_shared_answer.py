"""One question at a time, and an answer that everybody shares while it is fresh."""

import anyio
import pytest

from llama_mcp.llama_server.api.shared_answer import SharedAnswer

FOR_EVER = 1e9


class Oracle:
    """Answers 1, 2, ... and remembers how many asked at once; may be held back."""

    def __init__(self) -> None:
        self.asked = 0
        self.most_at_once = 0
        self._at_once = 0
        self.may_answer = anyio.Event()

    async def ask(self) -> int:
        self.asked += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await self.may_answer.wait()
            return self.asked
        finally:
            self._at_once -= 1


@pytest.fixture
def oracle() -> Oracle:
    oracle = Oracle()
    oracle.may_answer.set()
    return oracle


async def test_a_fresh_answer_is_given_again(oracle: Oracle) -> None:
    shared = SharedAnswer[int](FOR_EVER)
    assert [await shared.get("a", oracle.ask) for _ in range(3)] == [1, 1, 1]


async def test_an_answer_that_is_too_old_is_asked_for_again(oracle: Oracle) -> None:
    shared = SharedAnswer[int](-1.0)
    assert [await shared.get("a", oracle.ask) for _ in range(3)] == [1, 2, 3]


async def test_an_answer_about_something_else_is_not_used(oracle: Oracle) -> None:
    shared = SharedAnswer[int](FOR_EVER)
    assert [await shared.get(about, oracle.ask) for about in "aab"] == [1, 1, 2]


async def test_all_who_ask_at_once_share_one_answer() -> None:
    oracle, shared, answers = Oracle(), SharedAnswer[int](FOR_EVER), []

    async def get() -> None:
        answers.append(await shared.get("a", oracle.ask))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(get)
        await anyio.wait_all_tasks_blocked()
        oracle.may_answer.set()
    assert answers == [1] * 20


async def test_stale_answers_are_asked_for_one_at_a_time() -> None:
    oracle, shared = Oracle(), SharedAnswer[int](-1.0)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(shared.get, "a", oracle.ask)
        await anyio.wait_all_tasks_blocked()
        oracle.may_answer.set()
    assert (oracle.asked, oracle.most_at_once) == (5, 1)


async def test_who_is_cancelled_while_asking_leaves_the_next_to_ask() -> None:
    oracle, shared, answers = Oracle(), SharedAnswer[int](FOR_EVER), []

    async def get() -> None:
        answers.append(await shared.get("a", oracle.ask))

    async with anyio.create_task_group() as others, anyio.create_task_group() as first:
        first.start_soon(get)
        await anyio.wait_all_tasks_blocked()
        others.start_soon(get)
        await anyio.wait_all_tasks_blocked()
        first.cancel_scope.cancel()
        oracle.may_answer.set()
    assert answers == [2]


async def test_who_fails_leaves_no_answer(oracle: Oracle) -> None:
    shared = SharedAnswer[int](FOR_EVER)

    async def fail() -> int:
        raise ValueError("no answer")

    with pytest.raises(ValueError, match="no answer"):
        await shared.get("a", fail)
    assert await shared.get("a", oracle.ask) == 1
