"""An owner has as many turns and tokens as its token allows, and is told when there is more."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from llama_mcp.callers import LOCAL_OWNER, NO_LIMITS, Limits
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.records import TurnEnding, TurnStatus, Usage
from llama_mcp.sessions.spent import SpentTokens
from llama_mcp.turns.admission import Admission
from llama_mcp.turns.errors import DayIsSpentError, TooManyTurnsError


@dataclass
class OpenTurn:
    session_id: str
    owner: str


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    archive = Archive(tmp_path / "sessions.sqlite3")
    yield archive
    await archive.close()


async def spend(archive: Archive, owner: str, usage: Usage) -> str:
    begun = await archive.begin_turn(None, "a message", owner=owner)
    ending = TurnEnding(status=TurnStatus.COMPLETE, reply="a reply", usage=usage)
    await archive.end_turn(begun.session.session_id, begun.turn, ending)
    return begun.session.session_id


async def test_turns_under_way_and_calls_that_begin_one_count_together(archive: Archive) -> None:
    underway = [OpenTurn("aaaa", "ann"), OpenTurn("bbbb", "bob")]
    admission = Admission(archive, lambda: underway)
    limits = Limits(turns_at_once=2)
    async with admission.beginning("ann", limits):
        with pytest.raises(TooManyTurnsError, match=r"2 turns under way at once.*\(aaaa\)"):
            async with admission.beginning("ann", limits):
                raise AssertionError("it is let in")
        async with admission.beginning("bob", limits):  # another's calls count for the other
            pass
    async with admission.beginning("ann", limits):  # the call before is over
        pass
    async with admission.beginning("ann", NO_LIMITS), admission.beginning("ann", NO_LIMITS):
        pass


async def test_a_call_that_is_cancelled_as_it_begins_counts_no_longer(archive: Archive) -> None:
    admission, limits = Admission(archive, list), Limits(turns_at_once=1)
    with anyio.CancelScope() as scope:
        async with admission.beginning("ann", limits):
            scope.cancel()
            await anyio.sleep_forever()
    async with admission.beginning("ann", limits):
        pass


async def test_tokens_that_were_read_and_written_count_and_cached_ones_do_not(
    archive: Archive,
) -> None:
    admission = Admission(archive, list)
    usage = Usage(prompt_tokens=100, cached_tokens=60, completion_tokens=9)
    await spend(archive, "ann", usage)
    async with admission.beginning("ann", Limits(tokens_a_day=50)):
        pass
    with pytest.raises(DayIsSpentError, match=r"49 tokens in 24 hours.*used 49\. There is more in"):
        async with admission.beginning("ann", Limits(tokens_a_day=49)):
            raise AssertionError("it is let in")
    async with admission.beginning("bob", Limits(tokens_a_day=1)):
        pass


@pytest.mark.parametrize(
    ("reply", "usage", "tokens"),
    [
        ("a" * 80, Usage(prompt_tokens=100, cached_tokens=60), 40 + 20),  # it was stopped
        ("a" * 80, Usage(), 3 + 20),  # the engine tells nothing
        ("", Usage(), 0),  # nothing was generated
    ],
)
async def test_of_a_reply_without_figures_its_texts_count(
    archive: Archive, reply: str, usage: Usage, tokens: int
) -> None:
    begun = await archive.begin_turn(None, "a message", owner="ann")
    ending = TurnEnding(status=TurnStatus.CANCELLED, reply=reply, usage=usage)
    await archive.end_turn(begun.session.session_id, begun.turn, ending)
    spent = await archive.spent_since("2000-01-01T00:00:00.000Z", owner="ann")
    assert spent.total == tokens


async def test_a_session_that_is_deleted_frees_no_tokens(archive: Archive) -> None:
    session_id = await spend(archive, "ann", Usage(prompt_tokens=10, completion_tokens=10))
    await archive.delete_session(session_id, owner="ann")
    with pytest.raises(DayIsSpentError):
        async with Admission(archive, list).beginning("ann", Limits(tokens_a_day=20)):
            raise AssertionError("it is let in")


async def test_nothing_is_counted_of_the_owner_of_this_machine(archive: Archive) -> None:
    await spend(archive, LOCAL_OWNER, Usage(prompt_tokens=10, completion_tokens=10))
    assert await archive.spent_since("2000-01-01T00:00:00.000Z", owner=LOCAL_OWNER) == SpentTokens()


async def test_what_was_spent_more_than_a_day_ago_counts_no_longer(archive: Archive) -> None:
    await spend(archive, "ann", Usage(completion_tokens=7))
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="milliseconds")
    assert await archive.spent_since(later.replace("+00:00", "Z"), owner="ann") == SpentTokens()


@pytest.mark.parametrize(
    ("limit", "last"),
    [(100, None), (61, None), (60, "1"), (51, "1"), (50, "2"), (31, "2"), (30, "3"), (1, "3")],
)
def test_there_is_more_once_as_many_turns_are_a_day_old_as_have_to_be(
    limit: int, last: str | None
) -> None:
    spent = SpentTokens((("1", 10), ("2", 20), ("3", 30)))
    assert spent.total == 60
    assert spent.last_in_the_way(limit) == last
