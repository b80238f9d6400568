"""Which sessions have a last reply that is not whole."""

from pathlib import Path

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from tests.sessions.talk import say


async def test_of_sessions_whose_last_reply_is_not_whole_it_is_told_how_that_stands(
    archive: Archive, path: Path
) -> None:
    sessions = {"complete": await say(archive, "hello one", "hi")}
    for status in (TurnStatus.CANCELLED, TurnStatus.FAILED):
        begun = await archive.begin_turn(None, f"hello {status.value}", owner=LOCAL_OWNER)
        await archive.end_turn(begun.session.session_id, 1, TurnEnding(status=status))
        sessions[status.value] = begun.session.session_id
    other = Archive(path)
    gone = await other.begin_turn(None, "hello gone", owner=LOCAL_OWNER)
    sessions["interrupted"] = gone.session.session_id
    resumed = await other.begin_turn(None, "hello resumed", owner=LOCAL_OWNER)
    await other.close()
    await say(archive, "hello again", "hi", resumed.session.session_id)
    sessions["resumed"] = resumed.session.session_id
    begun = await archive.begin_turn(sessions["complete"], "hello again", owner=LOCAL_OWNER)
    sessions["in_progress"] = begun.session.session_id

    assert await archive.unfinished(sessions.values(), owner=LOCAL_OWNER) == {
        sessions["in_progress"]: "in_progress",
        sessions["interrupted"]: "interrupted",
    }
    assert await archive.unfinished([sessions["failed"], "2222-2222-2222"], owner=LOCAL_OWNER) == {}
