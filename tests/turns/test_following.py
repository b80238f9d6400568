"""When those who follow a reply are woken."""

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


async def test_the_first_token_is_reported_at_once_and_the_next_ones_wait_their_time() -> None:
    reply = PartialReply()
    following, reporter = Following(reply), Reporter(early_seconds=LONG_SECONDS)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(following.follow, PATIENCE_SECONDS, reporter.report)
        await anyio.wait_all_tasks_blocked()
        assert reporter.reports == 1
        for reports in (2, 2):
            reply.generated += 1
            following.note_change()
            await anyio.wait_all_tasks_blocked()
            assert reporter.reports == reports
        following.end()


async def test_a_turn_that_is_over_is_not_waited_for() -> None:
    following = Following(PartialReply())
    following.end()
    with anyio.fail_after(PATIENCE_SECONDS):
        await following.follow(LONG_SECONDS, Reporter().report)
        await following.wait_until_over()
    assert following.is_over
