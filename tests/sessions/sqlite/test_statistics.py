"""What the archived turns saw, against the same figures worked out by the standard library."""

import math
import statistics
from pathlib import Path, PureWindowsPath

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.records import (
    Message,
    Quantiles,
    Timing,
    TurnEnding,
    TurnStatistics,
    TurnStatus,
)
from llama_mcp.sessions.sqlite.connecting import read_only_uri
from llama_mcp.sessions.sqlite.statistics import Statistics, read_statistics
from tests.sessions.talk import put


async def have_turn(
    archive: Archive,
    first_token_ms: float | None = None,
    rate: float | None = None,
    *,
    model: str = "m",
    status: TurnStatus = TurnStatus.COMPLETE,
    session_id: str | None = None,
) -> str:
    begun = await archive.begin_turn(session_id, "message", model=model, owner=LOCAL_OWNER)
    timing = Timing(first_token_ms=first_token_ms, tokens_per_second=rate)
    ending = TurnEnding(status=status, reply="reply", timing=timing)
    await archive.end_turn(begun.session.session_id, begun.turn, ending)
    return begun.session.session_id


def median(quantiles: Quantiles | None) -> float | None:
    return None if quantiles is None else quantiles.median


def percentile_95(values: list[float]) -> float:
    """The nearest rank: the smallest value that 95 of 100 do not exceed."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def test_an_archive_that_does_not_exist_has_no_turns_and_is_not_created(path: Path) -> None:
    assert read_statistics(path, Statistics(), owner=None) == Statistics()
    assert not path.exists()


@pytest.mark.parametrize("count", [1, 2, 19, 20, 21, 40])
async def test_medians_and_percentiles_are_those_of_the_turns(archive: Archive, count: int) -> None:
    times = [float(7 * number % 101) for number in range(count)]
    rates = [float(11 * number % 103) for number in range(count)]
    session_id = None
    for time, rate in zip(times, rates, strict=True):
        session_id = await have_turn(archive, time, rate, session_id=session_id)
    assert await archive.turn_statistics(owner=None) == (
        TurnStatistics(
            model="m",
            turns=count,
            failures=0,
            first_token_ms=Quantiles(median=statistics.median(times), p95=percentile_95(times)),
            tokens_per_second=Quantiles(median=statistics.median(rates), p95=percentile_95(rates)),
        ),
    )


async def test_each_model_has_its_own_figures_the_most_used_first(archive: Archive) -> None:
    await have_turn(archive, 10, 1, model="seldom")
    for time in (20, 40):
        await have_turn(archive, time, 2, model="often")
    often, seldom = await archive.turn_statistics(owner=None)
    assert (often.model, often.turns, median(often.first_token_ms)) == ("often", 2, 30)
    assert (seldom.model, seldom.turns, median(seldom.first_token_ms)) == ("seldom", 1, 10)


async def test_what_did_not_get_a_reply_is_a_failure_and_a_cancelled_turn_is_not(
    archive: Archive,
) -> None:
    await have_turn(archive, 10, 5)
    await have_turn(archive, 30, None, status=TurnStatus.CANCELLED)
    await have_turn(archive, status=TurnStatus.FAILED)
    await have_turn(archive, status=TurnStatus.INTERRUPTED)
    (found,) = await archive.turn_statistics(owner=None)
    assert (found.turns, found.failures) == (4, 2)
    assert (median(found.first_token_ms), median(found.tokens_per_second)) == (20, 5)


async def test_turns_without_a_figure_have_no_median(archive: Archive) -> None:
    await have_turn(archive, status=TurnStatus.FAILED)
    (found,) = await archive.turn_statistics(owner=None)
    assert found.first_token_ms is None and found.tokens_per_second is None


async def test_only_turns_that_happened_here_count(archive: Archive) -> None:
    session_id = await have_turn(archive, 10, 5)
    fork = await archive.fork_session(session_id, owner=LOCAL_OWNER)
    await have_turn(archive, 20, 5, session_id=fork.session_id)
    history = [Message(role="user", content="Hi"), Message(role="assistant", content="Hello")]
    begun = await archive.begin_turn(
        None, "under way", history=history, model="m", owner=LOCAL_OWNER
    )
    (found,) = await archive.turn_statistics(owner=None)
    assert (found.turns, median(found.first_token_ms)) == (2, 15)
    await archive.end_turn(
        begun.session.session_id, begun.turn, TurnEnding(status=TurnStatus.COMPLETE)
    )
    (found,) = await archive.turn_statistics(owner=None)
    assert found.turns == 3


async def test_what_another_process_writes_or_deletes_is_seen(
    archive: Archive, other: Archive
) -> None:
    session_id = await have_turn(other, 10, 5)
    assert [found.turns for found in await archive.turn_statistics(owner=None)] == [1]
    await have_turn(other, 20, 5, session_id=session_id)
    assert [found.turns for found in await archive.turn_statistics(owner=None)] == [2]
    await other.delete_session(session_id, owner=LOCAL_OWNER)
    assert await archive.turn_statistics(owner=None) == ()


async def test_what_has_not_changed_is_not_read_again(archive: Archive, path: Path) -> None:
    await have_turn(archive, 10, 5)
    known = read_statistics(path, Statistics(), owner=None)
    assert read_statistics(path, known, owner=None) is known
    await have_turn(archive, 10, 5)
    assert read_statistics(path, known, owner=None) is not known


async def test_every_write_of_anybody_changes_the_last_change_and_reading_does_not(
    archive: Archive, other: Archive
) -> None:
    seen = [archive.last_change()]
    begun = await other.begin_turn(None, "message", owner=LOCAL_OWNER)
    seen.append(archive.last_change())
    await other.save_partial(begun.session.session_id, begun.turn, "rep", "")
    seen.append(archive.last_change())
    await other.end_turn(
        begun.session.session_id, begun.turn, TurnEnding(status=TurnStatus.COMPLETE)
    )
    seen.append(archive.last_change())
    assert len(set(seen)) == 4
    await archive.turn_statistics(owner=None)
    await archive.list_sessions(owner=LOCAL_OWNER)
    assert archive.last_change() == seen[-1]


async def test_only_the_newest_turns_are_looked_at(archive: Archive, path: Path) -> None:
    old = await have_turn(archive, 1, 1)
    await have_turn(archive, 2, 1, session_id=old)
    new = await have_turn(archive, 4, 1)
    await have_turn(archive, 8, 1, session_id=new)
    await have_turn(archive, 16, 1, session_id=old)
    (found,) = read_statistics(path, Statistics(), newest_turns=2, owner=None).of_models
    assert (found.turns, median(found.first_token_ms)) == (2, 9)


async def test_an_archive_that_cannot_be_read_says_so(archive: Archive, path: Path) -> None:
    put(path, b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(ArchiveError, match="archive"):
        await archive.turn_statistics(owner=None)


async def test_statistics_are_read_whatever_the_folder_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "a b#%41 größer"
    folder.mkdir()
    archive = Archive(folder / "sessions.db")
    await have_turn(archive)
    await archive.close()
    (of_model,) = read_statistics(folder / "sessions.db", Statistics(), None, 10).of_models
    assert of_model.turns == 1


def test_sqlite_is_given_no_host_of_a_windows_share() -> None:
    uri = read_only_uri(PureWindowsPath(r"\\nas\my home\sessions.db"))
    assert uri == "file:%5C%5Cnas%5Cmy%20home%5Csessions.db?mode=ro"
