"""The list of resources that is told early is the real one; what has changed since is told."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.home_folders import archive_in, data_folder, home_of_environment, state_folder
from llama_mcp.llama_server.runs import places
from llama_mcp.reading_settings import read_settings
from llama_mcp.sessions.archive import Archive
from tests.early.exchange import (
    GREETING,
    INITIALIZED,
    Process,
    answers,
    modern,
    request,
    started,
)
from tests.sessions.talk import have_session
from tests.support.client_process import LlamaMCP
from tests.support.quick import first_quick

pytestmark = pytest.mark.posix

LIST = request("resources/list", {}, 1)
STATUS = {"name": "status", "arguments": {}}
HEARD = "notifications/subscriptions/acknowledged"
LIST_CHANGED = "notifications/resources/list_changed"


@pytest.fixture
async def archive(llama_mcp: LlamaMCP) -> Any:
    llama_mcp.home.mkdir()
    archive = Archive(llama_mcp.home / "sessions.db")
    yield archive
    await archive.close()


def early_list(llama_mcp: LlamaMCP) -> tuple[bytes, bool]:
    """Return the answer to resources/list, and whether it came early."""
    with started(llama_mcp) as process:
        process.tell(GREETING)
        process.tell(LIST)
        said = process.lines(2)[1]
        is_early = process.is_early()
        assert process.end() == 0
    return said, is_early


def real_list(llama_mcp: LlamaMCP, path: Path) -> bytes:
    return answers(llama_mcp, [GREETING, LIST], path)[1]


def have_run(home: Path, **changes: object) -> None:
    """Have the records of a run that was launched here."""
    folder = home / "runs" / "20261126-1"
    folder.mkdir(parents=True)
    place = places.here().model_dump() | changes
    (folder / "launch.json").write_text(json.dumps({"place": place}))
    (folder / "llama-server.log").write_text("listening")
    (home / "runs" / "current.json").write_text(json.dumps({"run": folder.name}))


async def test_sessions_and_times_are_those_of_the_real_list(
    llama_mcp: LlamaMCP, archive: Archive, tmp_path: Path
) -> None:
    for turns in (1, 2):
        await have_session(archive, turns)
    await archive.update_session(
        (await archive.newest_sessions(1, owner=LOCAL_OWNER))[0][0],
        'Ümläut \u2028 \x7f "q"',
        owner=LOCAL_OWNER,
    )
    for _ in range(19):
        await have_session(archive, 1)
    have_run(llama_mcp.home)
    listed, is_early = early_list(llama_mcp)
    assert is_early
    assert listed == real_list(llama_mcp, tmp_path / "said")
    resources = json.loads(listed)["result"]["resources"]
    assert sum("/sessions/" in resource["uri"] for resource in resources) == 20
    assert sum("lastModified" in resource.get("annotations", {}) for resource in resources) == 24


async def test_the_list_of_2026_07_28_has_them_too(
    llama_mcp: LlamaMCP, archive: Archive, tmp_path: Path
) -> None:
    await have_session(archive, 1)
    asked = [modern("resources/list")]
    assert answers(llama_mcp, asked) == answers(llama_mcp, asked, tmp_path / "said")


def damage(home: Path) -> None:
    (home / "sessions.db").write_bytes(b"no database" * 1000)


def be_newer(home: Path) -> None:
    with closing(sqlite3.connect(home / "sessions.db")) as connection:
        connection.execute("PRAGMA user_version = 999")


def be_of_another_program(home: Path) -> None:
    with closing(sqlite3.connect(home / "sessions.db")) as connection:
        connection.execute("PRAGMA application_id = 7")


def have_a_run_of_elsewhere(home: Path) -> None:
    have_run(home, host="elsewhere", boot="another", namespaces="")


def have_broken_records(home: Path) -> None:
    have_run(home)
    (home / "runs" / "current.json").write_text("{")


def have_runs_that_nothing_names(home: Path) -> None:
    have_run(home)
    (home / "runs" / "current.json").unlink()


@pytest.mark.parametrize(
    "make_odd",
    first_quick(
        damage,
        be_newer,
        be_of_another_program,
        have_a_run_of_elsewhere,
        have_broken_records,
        have_runs_that_nothing_names,
    ),
    ids=lambda function: function.__name__,
)
async def test_what_is_odd_is_left_to_the_real_server(
    llama_mcp: LlamaMCP, archive: Archive, tmp_path: Path, make_odd: Any
) -> None:
    await have_session(archive, 1)
    await archive.close()
    make_odd(llama_mcp.home)
    listed, is_early = early_list(llama_mcp)
    assert not is_early
    assert listed == real_list(llama_mcp, tmp_path / "said")


async def test_reading_the_archive_early_leaves_it_as_it_was(
    llama_mcp: LlamaMCP, archive: Archive
) -> None:
    session_id = await have_session(archive, 1)
    await archive.close()
    path = llama_mcp.home / "sessions.db"
    before = path.read_bytes()
    _, is_early = early_list(llama_mcp)
    assert is_early
    assert path.read_bytes() == before
    # SQLite leaves an index of an empty -wal beside it; whoever opens the archive next removes it.
    assert [
        session.session_id for session in (await archive.list_sessions(owner=LOCAL_OWNER)).sessions
    ] == [session_id]
    await archive.close()
    assert [each.name for each in llama_mcp.home.glob("sessions.db-*")] == []


async def test_an_archive_that_others_write_is_read_early(
    llama_mcp: LlamaMCP, archive: Archive
) -> None:
    session_id = await have_session(archive, 1)  # still open, with its -wal
    listed, is_early = early_list(llama_mcp)
    assert is_early
    assert session_id in listed.decode()


def notifications(process: Process, count: int) -> list[str]:
    return [json.loads(line).get("method", "") for line in process.lines(count)]


async def test_a_session_that_came_after_the_early_list_is_told(
    llama_mcp: LlamaMCP, archive: Archive
) -> None:
    await have_session(archive, 1)
    with started(llama_mcp) as process:
        for message in (GREETING, INITIALIZED, LIST):
            process.tell(message)
        process.lines(2)
        await have_session(archive, 1)
        assert process.is_early()
        process.tell(request("tools/call", STATUS, 2))
        assert LIST_CHANGED in notifications(process, 4)


async def test_the_first_session_of_all_is_told_after_an_early_list_without_an_archive(
    llama_mcp: LlamaMCP,
) -> None:
    with started(llama_mcp) as process:
        for message in (GREETING, INITIALIZED, LIST):
            process.tell(message)
        process.lines(2)
        archive = Archive(llama_mcp.home / "sessions.db")
        await have_session(archive, 1)
        await archive.close()
        process.tell(request("tools/call", STATUS, 2))
        assert LIST_CHANGED in notifications(process, 4)


async def test_who_listens_as_2026_07_28_does_is_told_of_it_too(
    llama_mcp: LlamaMCP, archive: Archive
) -> None:
    with started(llama_mcp) as process:
        process.tell(modern("resources/list"))
        process.lines(1)
        await have_session(archive, 1)
        process.tell(modern("tools/call", STATUS, 2))
        process.lines(2)
        wanted = {"notifications": {"resourcesListChanged": True}}
        process.tell(modern("subscriptions/listen", wanted, 3))
        assert LIST_CHANGED in notifications(process, 4)


async def test_who_listens_early_is_told_without_a_call(
    llama_mcp: LlamaMCP, archive: Archive
) -> None:
    with started(llama_mcp) as process:
        process.tell(modern("server/discover"))
        wanted = {"notifications": {"resourcesListChanged": True}}
        process.tell(modern("subscriptions/listen", wanted, 3))
        process.tell(modern("resources/list", None, 4))
        process.lines(3)
        await have_session(archive, 1)
        assert notifications(process, 4)[1:] == [HEARD, "", LIST_CHANGED]


@pytest.mark.parametrize(
    "environment",
    [
        {"LLAMA_MCP_HOME": "/a/b"},
        {"LLAMA_MCP_HOME": " '~/x y' "},
        {"llama_mcp_home": "relative"},
        {"LLAMA_MCP_HOME": ""},
        {"LLAMA_MCP_HOME": "${HOME_OF_MINE}"},
        {"LLAMA_MCP_HOME": "/a", "Llama_Mcp_Home": "/b"},
        {},
    ],
    ids=str,
)
def test_the_folders_are_those_of_the_settings(environment: dict[str, str]) -> None:
    home, settings = home_of_environment(environment), read_settings(environment)
    assert archive_in(data_folder(home)) == settings.archive_path
    assert state_folder(home) == settings.state_dir


def test_a_home_that_cannot_be_is_left_to_the_real_server() -> None:
    with pytest.raises(ValueError):
        home_of_environment({"LLAMA_MCP_HOME": "$NOBODY/x"})
    assert read_settings({"LLAMA_MCP_HOME": "$NOBODY/x"}).faults
    assert home_of_environment(dict(os.environ)) is None
