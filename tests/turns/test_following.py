"""When those who follow a reply are woken."""

from typing import Any

import anyio

from llama_mcp.turns.following import Following
from llama_mcp.turns.replies.partial_reply import PartialReply
from tests.support.processes import PATIENCE_SECONDS, until

# A report that is so much too early is not repeated during a test.
LONG_SECONDS = 2 * PATIENCE_SECONDS


class Reporter:
    """Counts reports; each is too early by early_seconds."""

    def __init__(self, early_seconds: float = 0.0) -> None:
        self.early_seconds = early_seconds
        self.reports = 0

    async def report(self, _reply: PartialReply) -> float:
        self.reports += 1
        return self.early_seconds


async def test_a_change_is_reported_and_nothing_else_is() -> None:
    following, reporter = Following(PartialReply()), Reporter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(following.follow, PATIENCE_SECONDS, reporter.report)
        for changes in range(1, 4):
            await anyio.wait_all_tasks_blocked()
            assert reporter.reports == changes
            following.note_change()
        following.end()


async def test_a_report_that_was_too_early_is_repeated_without_another_change() -> None:
    following, reporter = Following(PartialReply()), Reporter(early_seconds=0.001)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(following.follow, PATIENCE_SECONDS, reporter.report)
        await until(lambda: reporter.reports > 2, "it is repeated")
        following.end()


async def test_what_begins_a_stage_is_reported_at_once_and_what_follows_waits_its_time() -> None:
    reply = PartialReply()
    following, reporter = Following(reply), Reporter(early_seconds=LONG_SECONDS)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(following.follow, PATIENCE_SECONDS, reporter.report)
        await anyio.wait_all_tasks_blocked()
        assert reporter.reports == 1
        for chunk, reports in (
            (delta(reasoning_content="Hm"), 2),
            (delta(reasoning_content="so"), 2),
            (delta(content="It"), 3),
            (delta(content=" is"), 3),
            (delta(finish_reason="stop"), 4),
            ({"usage": {"completion_tokens": 4}}, 4),
        ):
            reply.take(chunk)
            following.note_change()
            await anyio.wait_all_tasks_blocked()
            assert reporter.reports == reports, chunk
        following.end()


def delta(finish_reason: str | None = None, **texts: str) -> dict[str, Any]:
    return {"choices": [{"delta": texts, "finish_reason": finish_reason}]}


async def test_the_end_is_not_waited_for_whatever_the_last_report_says() -> None:
    following, reporter = Following(PartialReply()), Reporter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(following.follow, LONG_SECONDS, reporter.report)
        await anyio.wait_all_tasks_blocked()
        reporter.early_seconds = LONG_SECONDS
        following.end()
        with anyio.fail_after(PATIENCE_SECONDS):
            await following.wait_until_over()
            await anyio.wait_all_tasks_blocked()
        assert reporter.reports == 1


async def test_a_turn_that_is_over_is_not_waited_for() -> None:
    following = Following(PartialReply())
    following.end()
    with anyio.fail_after(PATIENCE_SECONDS):
        await following.follow(LONG_SECONDS, Reporter().report)
        await following.wait_until_over()
    assert following.is_over
