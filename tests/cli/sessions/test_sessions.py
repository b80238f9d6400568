"""`llama-mcp sessions` as the installed command."""

import json
import os
import stat
from pathlib import Path

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from tests.cli.running import run, terminal
from tests.support.client_process import LlamaMCP

EVIL = "evil\x1b[2J \u202eright"


@pytest.fixture
async def talks(llama_mcp: LlamaMCP) -> list[str]:
    """The ids of two sessions, the older first."""
    archive = Archive(llama_mcp.home / "sessions.db")
    ids = []
    for message, reply in (("about apples", "Apples are red."), (f"pears {EVIL}", EVIL)):
        begun = await archive.begin_turn(None, message, owner=LOCAL_OWNER)
        ending = TurnEnding(status=TurnStatus.COMPLETE, reply=reply, model="tiny")
        await archive.end_turn(begun.session.session_id, begun.turn, ending)
        ids.append(begun.session.session_id)
    await archive.close()
    return ids


async def test_sessions_are_listed_newest_first(llama_mcp: LlamaMCP, talks: list[str]) -> None:
    shown = run(llama_mcp, "sessions").stdout
    head, newest, oldest = shown.splitlines()
    assert head.split() == ["ID", "TITLE", "TURNS", "CHANGED", "REPLY"]
    assert newest.startswith(talks[1]) and oldest.startswith(talks[0])
    assert "\x1b" not in shown and "\u202e" not in shown
    listed = json.loads(run(llama_mcp, "sessions", "list", "--json").stdout)
    assert [each["session_id"] for each in listed["sessions"]] == talks[::-1]
    assert listed["total"] == 2
    few = run(llama_mcp, "sessions", "list", "-n", "1").stdout
    assert "1 more: -n 2 shows all." in few


async def test_json_may_stand_before_the_action(llama_mcp: LlamaMCP, talks: list[str]) -> None:
    assert json.loads(run(llama_mcp, "sessions", "--json", "list").stdout)["total"] == len(talks)


async def test_a_search_shows_what_it_found(llama_mcp: LlamaMCP, talks: list[str]) -> None:
    shown = run(llama_mcp, "sessions", "search", "apples", "red").stdout
    assert talks[0] in shown and talks[1] not in shown


async def test_a_session_is_shown_by_a_beginning_of_its_id(
    llama_mcp: LlamaMCP, talks: list[str]
) -> None:
    shown = run(llama_mcp, "sessions", "show", talks[1][:6])
    assert shown.returncode == 0, shown.stderr
    assert "> evil\\x1b[2J \\u202eright" in shown.stdout
    data = json.loads(run(llama_mcp, "sessions", "show", talks[1], "--json").stdout)
    assert data["session_id"] == talks[1]
    assert data["turns"][0]["reply"] == EVIL


async def test_an_export_is_a_new_file_of_its_owner(
    llama_mcp: LlamaMCP, talks: list[str], tmp_path: Path
) -> None:
    for name, is_json in (("talk.md", False), ("talk.json", True)):
        done = run(llama_mcp, "sessions", "export", talks[0], "-o", name)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        written = tmp_path / name
        if os.name == "posix":
            assert stat.S_IMODE(written.stat().st_mode) == 0o600
        text = written.read_text(encoding="utf-8")
        assert "Apples are red." in text and text.startswith("{") == is_json
        again = run(llama_mcp, "sessions", "export", talks[0], "-o", name)
        assert again.returncode == 1 and "there is one" in again.stderr
        assert written.read_text(encoding="utf-8") == text
    printed = run(llama_mcp, "sessions", "export", talks[0], "--format", "json").stdout
    assert json.loads(printed)["turns"][0]["message"] == "about apples"


async def test_deleting_asks_and_takes_no_for_an_answer(
    llama_mcp: LlamaMCP, talks: list[str]
) -> None:
    unasked = run(llama_mcp, "sessions", "delete", talks[0])
    assert unasked.returncode == 2 and "--yes" in unasked.stderr
    with terminal(llama_mcp, "sessions", "delete", *talks) as shown:
        shown.wait_for("about apples")
        shown.wait_for("Delete? [y/N] ")
        shown.type("n\r")
        assert shown.exit_code() == 1
    with terminal(llama_mcp, "sessions", "delete", talks[0]) as shown:
        shown.wait_for("Delete? [y/N] ")
        shown.press_until("\x03", "^C")
        assert shown.exit_code() == 130
    assert json.loads(run(llama_mcp, "sessions", "--json").stdout)["total"] == 2
    with terminal(llama_mcp, "sessions", "delete", talks[0]) as shown:
        shown.wait_for("Delete? [y/N] ")
        shown.type("y\r")
        shown.wait_for("Deleted ")
        assert shown.exit_code() == 0
    assert json.loads(run(llama_mcp, "sessions", "--json").stdout)["total"] == 1


async def test_of_several_sessions_all_are_deleted_or_none(
    llama_mcp: LlamaMCP, talks: list[str]
) -> None:
    done = run(llama_mcp, "sessions", "delete", "--yes", talks[0], "zzzz-zzzz-zzzz")
    assert done.returncode == 1 and "zzzz-zzzz-zzzz" in done.stderr
    assert json.loads(run(llama_mcp, "sessions", "--json").stdout)["total"] == 2
    done = run(llama_mcp, "sessions", "delete", "--yes", "--json", *talks)
    assert [each["session_id"] for each in json.loads(done.stdout)["deleted"]] == talks


async def test_a_damaged_archive_is_told_and_left_as_it_is(llama_mcp: LlamaMCP) -> None:
    llama_mcp.home.mkdir()
    archive = llama_mcp.home / "sessions.db"
    archive.write_bytes(b"no database at all " * 100)
    for command in (["sessions"], ["sessions", "show", "k7m2"], ["status"]):
        done = run(llama_mcp, *command)
        assert "Traceback" not in done.stderr
        assert "is damaged" in done.stderr + done.stdout
    assert archive.read_bytes() == b"no database at all " * 100
    assert [path.name for path in llama_mcp.home.glob("sessions.db.damaged*")] == []


def test_without_an_archive_no_session_is_found(llama_mcp: LlamaMCP) -> None:
    done = run(llama_mcp, "sessions", "show", "k7m2-q9x4-tbhz")
    assert done.returncode == 1
    assert "There is no session 'k7m2-q9x4-tbhz'" in done.stderr
    assert not (llama_mcp.home / "sessions.db").exists()


@pytest.mark.parametrize("columns", [20, 40])
async def test_a_narrow_terminal_gets_lines_that_fit(
    llama_mcp: LlamaMCP, talks: list[str], columns: int
) -> None:
    assert talks
    with terminal(llama_mcp, "sessions", columns=columns, NO_COLOR="1") as shown:
        assert shown.exit_code() == 0
    lines = shown.shown.replace("\r", "").splitlines()
    assert lines and all(len(line) <= columns for line in lines)
    assert "\x1b" not in shown.shown


async def test_sessions_of_an_owner_are_listed_shown_and_deleted_when_the_owner_is_named(
    llama_mcp: LlamaMCP, talks: list[str]
) -> None:
    archive = Archive(llama_mcp.home / "sessions.db")
    begun = await archive.begin_turn(None, "of alice", owner="alice")
    session_id = begun.session.session_id
    await archive.end_turn(session_id, 1, TurnEnding(status=TurnStatus.COMPLETE, reply="hi"))
    await archive.close()
    assert session_id not in run(llama_mcp, "sessions").stdout
    assert run(llama_mcp, "sessions", "show", session_id).returncode == 1
    listed = run(llama_mcp, "sessions", "list", "--owner", "alice").stdout
    assert session_id in listed and talks[0] not in listed
    everybody = run(llama_mcp, "sessions", "list", "--all-owners").stdout
    assert everybody.index("Of alice:") < everybody.index(session_id)
    assert everybody.index("Of local:") < everybody.index(talks[0])
    data = json.loads(
        run(llama_mcp, "sessions", "search", "alice", "--all-owners", "--json").stdout
    )
    totals = {owner: found["total"] for owner, found in data["owners"].items()}
    assert totals == {"alice": 1, "local": 0}
    assert "of alice" in run(llama_mcp, "sessions", "export", session_id, "--owner", "alice").stdout
    deleted = run(llama_mcp, "sessions", "delete", session_id, "-y", "--owner", "alice")
    assert deleted.returncode == 0, deleted.stderr
    none = run(llama_mcp, "sessions", "list", "--owner", "alice").stdout
    assert none == "alice has no session.\n"
