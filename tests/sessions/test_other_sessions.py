"""How many other sessions a launch of llama-server has served between two turns of a session."""

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.begun_turns import MOST_OTHER_SESSIONS
from llama_mcp.sessions.records import TurnEnding, TurnStatus

RUN = "the launch"


async def say(archive: Archive, session_id: str | None = None, run: str = RUN) -> tuple[str, int]:
    """Have a whole turn with the launch; return its session and number."""
    begun = await archive.begin_turn(session_id, "hello", run=run, owner=LOCAL_OWNER)
    ending = TurnEnding(status=TurnStatus.COMPLETE, reply="hi")
    await archive.end_turn(begun.session.session_id, begun.turn, ending)
    return begun.session.session_id, begun.turn


async def test_only_those_count_that_the_same_launch_has_served_between_the_two_turns(
    archive: Archive,
) -> None:
    await say(archive)  # before
    session_id, _ = await say(archive)
    assert await archive.count_other_sessions(session_id, 1) == 0
    between, _ = await say(archive)
    await say(archive, between)  # once more: it is one session
    await say(archive, run="another launch")
    underway = await archive.begin_turn(None, "hello", run=RUN, owner=LOCAL_OWNER)
    _, turn = await say(archive, session_id)
    await say(archive)  # after

    assert await archive.count_other_sessions(session_id, turn) == 2

    # What has come between goes on counting when it has gone on since.
    await say(archive, between)
    ending = TurnEnding(status=TurnStatus.COMPLETE, reply="hi")
    await archive.end_turn(underway.session.session_id, underway.turn, ending)
    await say(archive, underway.session.session_id)
    assert await archive.count_other_sessions(session_id, turn) == 2


async def test_a_turn_without_one_before_it_has_no_sessions_between(archive: Archive) -> None:
    session_id, _ = await say(archive)
    copy = await archive.fork_session(session_id, owner=LOCAL_OWNER)
    _, turn = await say(archive, copy.session_id)
    # A copy was served by no launch.
    assert await archive.count_other_sessions(copy.session_id, turn) == 0


async def test_no_more_are_looked_at_than_explain_it(archive: Archive) -> None:
    session_id, _ = await say(archive)
    for _ in range(MOST_OTHER_SESSIONS + 2):
        await say(archive)
    _, turn = await say(archive, session_id)
    assert await archive.count_other_sessions(session_id, turn) == MOST_OTHER_SESSIONS
