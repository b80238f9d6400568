"""Which writes wait until the disk has them: the table of docs/reliability.md."""

import sys
from pathlib import Path
from subprocess import run
from sys import executable

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.records import NewTurn, TurnEnding, TurnStatus
from llama_mcp.sessions.sqlite.store import Store
from llama_mcp.sessions.sqlite.writing import begin_turn, end_turn, save_partial
from tests.sessions.no_syncs_program import NO_FILTER_EXIT_CODE

PROGRAM = Path(__file__).parents[1] / "no_syncs_program.py"
UNSYNCED = {
    "begin_turn",
    "begin_turn in a session",
    "save_partial",
    "set_cut",
    "note_run",
    "ask_cancel",
    "note_told",
    "adopt_turn",
    "reopen_turn",
    "begin_job",
    "forget_pieces",
}
SYNCED = {
    "end_turn",
    "save_piece",
    "end_job",
    "update_session",
    "fork_session",
    "delete_session",
}


def without_syncs(path: Path, scenario: str) -> dict[str, str]:
    """Return what came of each write where every sync fails."""
    if sys.platform != "linux":
        pytest.skip("only Linux lets a program forbid itself to sync")
    command = [executable, str(PROGRAM), str(path), scenario]
    done = run(command, capture_output=True, text=True, check=False)
    if done.returncode == NO_FILTER_EXIT_CODE:
        pytest.skip("this system takes no filter of system calls (seccomp)")
    assert done.returncode == 0, done.stderr
    outcomes = (line.partition(": ") for line in done.stdout.splitlines())
    return {name: outcome for name, _, outcome in outcomes}


def test_a_turn_is_begun_and_saved_without_a_sync_and_what_is_final_is_synced(path: Path) -> None:
    assert without_syncs(path, "every_write") == {
        **dict.fromkeys(UNSYNCED, "done"),
        **dict.fromkeys(SYNCED, "refused"),
    }


@pytest.mark.parametrize("when", ["begin_with_a_long_log", "begin_with_a_log_just_checkpointed"])
def test_no_turn_waits_as_it_begins_for_what_other_writes_have_left_to_be_synced(
    path: Path, when: str
) -> None:
    assert without_syncs(path, when) == {"begin_turn": "done"}


def test_the_end_of_a_reply_is_synced_and_with_it_what_was_committed_before(path: Path) -> None:
    store = Store(path)
    said: list[str] = []
    store.connection.set_trace_callback(said.append)
    for _ in range(2):
        session_id = begin_turn(store, None, NewTurn("hello"), owner=LOCAL_OWNER).session.session_id
        save_partial(store, session_id, 1, "a", "")
        end_turn(store, session_id, 1, TurnEnding(status=TurnStatus.COMPLETE, reply="a reply"))
    store.connection.set_trace_callback(None)

    # All commits are appended to one log, and a sync is one of the whole log.
    assert store.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    begun_and_saved = ["PRAGMA synchronous = NORMAL", "COMMIT", "COMMIT"]
    ended = ["PRAGMA synchronous = FULL", "COMMIT"]
    kinds = [each for each in said if each.startswith(("COMMIT", "PRAGMA synchronous"))]
    assert kinds == [*begun_and_saved, *ended] * 2
    # Without it, macOS leaves what is synced in the disk's own cache.
    assert store.connection.execute("PRAGMA fullfsync").fetchone()[0] == 1
    store.close()


def test_the_log_of_writes_stays_short_while_a_long_reply_is_saved_again_and_again(
    path: Path,
) -> None:
    store = Store(path)
    session_id = begin_turn(store, None, NewTurn("hello"), owner=LOCAL_OWNER).session.session_id
    for number in range(80):
        save_partial(store, session_id, 1, "text " * 100_000 + str(number), "")
    assert Path(f"{path}-wal").stat().st_size < 20_000_000
    store.close()
