"""What comes of a job: its result, what it covers, what it leaves out."""

import pytest

from llama_mcp.sessions.records import TurnStatus
from tests.turns.conftest import SENTENCE
from tests.turns.jobs.conftest import PROSE, Desk

pytestmark = pytest.mark.posix


async def test_a_file_that_fits_is_one_piece_whose_reply_is_the_result(desk: Desk) -> None:
    desk.write(a_md=PROSE * 10)
    reply = await desk.complete("a.md")
    assert (reply.status, reply.reply) == (TurnStatus.COMPLETE, SENTENCE)
    assert reply.job is not None
    print(reply)
    (prompt,) = desk.room.prompts()
    assert prompt.startswith("Sum it up.") and PROSE * 10 in prompt


async def test_a_long_file_is_put_together(desk: Desk) -> None:
    desk.write(a_md=PROSE * 2000)
    reply = await desk.complete("a.md", max_tokens=100)
    assert reply.reply == SENTENCE
    print(reply, len(desk.room.prompts()))
    assert 0
