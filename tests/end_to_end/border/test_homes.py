"""Whatever home it is given: no tool and no resource fails without saying what to do."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import LlamaMCP
from tests.support.privileges import ANOTHER_USER, OWN_MOUNTS, need
from tests.support.raw_client import RawClient, raw_client

pytestmark = pytest.mark.posix

ABSENT = "6wbk-mdd8-wzx2"
OF_A_SESSION = (
    *("wait_for_reply", "cancel_reply", "read_session", "update_session", "fork_session"),
    "delete_session",
)
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    *((name, {}) for name in ("status", "get_config", "server_metrics", "server_log")),
    ("list_sessions", {}),
    ("list_sessions", {"query": "Hello"}),
    ("start_llama_server", {}),
    ("chat", {"message": "Hello", "max_tokens": 4}),
    *((name, {"session_id": ABSENT}) for name in OF_A_SESSION),
    ("stop_llama_server", {}),
)
WITH_OWN_MOUNTS = (*OWN_MOUNTS, "sh", "-c")


@dataclass(frozen=True)
class Sweep:
    """What came of calling every tool and reading every resource."""

    errors: dict[str, str]
    answers: dict[str, str]


async def sweep(client: RawClient) -> Sweep:
    await client.hello()
    swept = Sweep({}, {})
    for tool, arguments in CALLS:
        result = await client.call(tool, **arguments)
        text = result["content"][0]["text"]
        (swept.errors if result.get("isError") else swept.answers)[tool] = text
    listed = await client.answer(await client.ask("resources/list"))
    uris = [resource["uri"] for resource in listed["result"]["resources"]]
    for uri in (*uris, f"llama://sessions/{ABSENT}", f"llama://sessions/{ABSENT}.json"):
        answer = await client.answer(await client.ask("resources/read", uri=uri))
        if "error" in answer:
            swept.errors[uri] = answer["error"]["message"]
    for name, text in swept.errors.items():
        assert "Error executing" not in text and "Error reading" not in text, (name, text)
    return swept


async def swept_with(llama_mcp: LlamaMCP, *before: str, home: str, **others: str) -> Sweep:
    """Sweep with this LLAMA_MCP_HOME; `before` is what starts llama-mcp."""
    variables = llama_mcp.variables | {"LLAMA_MCP_HOME": home} | others
    command = (*before, *llama_mcp.command)
    async with raw_client(replace(llama_mcp, variables=variables, command=command)) as client:
        return await sweep(client)


def a_file(folder: Path) -> str:
    (folder / "file").touch()
    return str(folder / "file")


# What the home is, made in a folder, and what is said of it.
USELESS: dict[str, tuple[Callable[[Path], str], str]] = {
    "a file": (a_file, "Move the file away"),
    "below a file": (lambda folder: f"{a_file(folder)}/below", "Move the file away"),
    "nowhere": (lambda _: "/proc/nowhere", "LLAMA_MCP_HOME"),
    "too long a name": (lambda folder: str(folder / ("x" * 300)), "Shorten its path"),
    "a control character": (lambda folder: f"{folder}/a\x07", "control character"),
    "a user that is none": (lambda _: "~no-such-user/x", "LLAMA_MCP_HOME cannot be"),
    "a loop of links": (lambda folder: str(a_loop(folder)), "LLAMA_MCP_HOME"),
}


def a_loop(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


@pytest.mark.parametrize("kind", USELESS)
async def test_a_home_that_cannot_be_is_told_by_all_who_need_it(
    llama_mcp: LlamaMCP, tmp_path: Path, kind: str
) -> None:
    make, told = USELESS[kind]
    swept = await swept_with(llama_mcp, home=make(tmp_path))
    assert told in swept.errors["start_llama_server"]
    assert "LLAMA_MCP_HOME" in swept.errors["list_sessions"]


@pytest.mark.parametrize(
    "name", ["a?b#c%20d", "caf\udce9", "~", "a b'\"", "x" * 200 + "/" + "y" * 100], ids=ascii
)
async def test_a_home_with_an_odd_name_works(
    llama_mcp: LlamaMCP, tmp_path: Path, name: str
) -> None:
    home = tmp_path / name
    swept = await swept_with(llama_mcp, home=str(home))
    assert set(swept.answers) == {tool for tool, _ in CALLS} - set(OF_A_SESSION)
    assert (home / "sessions.db").is_file()


async def test_a_home_whose_path_is_too_long_for_the_archive_is_told_with_its_length(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    home = tmp_path.joinpath(*["x" * 150] * 4)
    swept = await swept_with(llama_mcp, home=str(home))
    assert f"{len(str(home / 'sessions.db'))} bytes" in swept.errors["list_sessions"]
    assert "ready" in swept.answers["start_llama_server"]


async def test_a_relative_home_lies_in_the_working_folder(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    swept = await swept_with(llama_mcp, *in_folder(tmp_path / "work", ""), home="state")
    assert "ready" in swept.answers["start_llama_server"]
    assert (tmp_path / "work" / "state" / "sessions.db").is_file()


async def test_a_working_folder_that_is_gone_changes_nothing(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    before = in_folder(tmp_path / "gone", f"rmdir '{tmp_path}/gone' &&")
    swept = await swept_with(llama_mcp, *before, home=str(llama_mcp.home))
    assert "ready" in swept.answers["start_llama_server"]


def in_folder(folder: Path, then: str) -> tuple[str, ...]:
    return ("sh", "-c", f"cd '{folder}' && {then} exec \"$@\"", "sh")


async def test_on_a_read_only_disk_sessions_are_listed_read_and_searched(
    llama_mcp: LlamaMCP,
) -> None:
    need("mounts of its own", OWN_MOUNTS)
    async with raw_client(llama_mcp) as client:
        await client.hello()
        await client.call("start_llama_server")
        reply = await client.call("chat", message="Hello", max_tokens=4)
        await client.call("stop_llama_server")
    bind = f"mount --bind -o ro '{llama_mcp.home}' '{llama_mcp.home}' && exec \"$@\""
    command = (*WITH_OWN_MOUNTS, bind, "sh", *llama_mcp.command)
    async with raw_client(replace(llama_mcp, command=command)) as client:
        swept = await sweep(client)
        session_id = reply["structuredContent"]["session_id"]
        read = await client.call("read_session", session_id=session_id)
    assert "Read-only file system" in swept.errors["start_llama_server"]
    assert "Turns with tiny: 1" in swept.answers["server_metrics"]
    assert session_id in swept.answers["list_sessions"]
    assert "Hello" in read["content"][0]["text"]


@pytest.mark.parametrize("finish_seconds", ["0", "600"], ids=["ends with it", "goes on"])
async def test_on_a_read_only_disk_what_was_saved_of_a_reply_whose_process_died_can_be_read(
    llama_mcp: LlamaMCP, fake_folder: Path, finish_seconds: str
) -> None:
    need("mounts of its own", OWN_MOUNTS)
    fake = install_fake(fake_folder, reply_tokens=["It", " came"], hold_at_token=1)
    held = llama_mcp.having(LLAMA_CPP_PATH=str(fake), FINISH_SECONDS=finish_seconds)
    async with raw_client(held) as client:
        await client.hello()
        await client.call("start_llama_server")
        part = await client.call("chat", message="Hello", wait_seconds=0)
        session = {"session_id": part["structuredContent"]["session_id"]}
        told = part["structuredContent"]["reply"]
        while told != "It":
            more = await client.call("wait_for_reply", wait_seconds=0, **session)
            told += more["structuredContent"]["reply"]
        client.process.kill()
        await client.exit_code()
    bind = f"mount --bind -o ro '{held.home}' '{held.home}' && exec \"$@\""
    command = (*WITH_OWN_MOUNTS, bind, "sh", *held.command)
    async with raw_client(replace(held, command=command)) as client:
        await client.hello()
        page = (await client.call("read_session", **session))["structuredContent"]
        assert (page["turns"][0]["reply"], page["turns"][0]["status"]) == ("It", "interrupted")
        (listed,) = (await client.call("list_sessions"))["structuredContent"]["sessions"]
        assert listed["unfinished"] == "interrupted"
        uri = f"llama://sessions/{session['session_id']}"
        shown = await client.answer(await client.ask("resources/read", uri=uri))
        assert "It" in shown["result"]["contents"][0]["text"]
        waited = await client.call("wait_for_reply", **session)
        assert "ended before the reply did" in waited["content"][0]["text"]
        refused = await client.call("delete_session", **session)
        assert "cannot be written" in refused["content"][0]["text"]
    set_faults(fake_folder)


async def test_on_a_full_disk_every_call_says_so(llama_mcp: LlamaMCP, tmp_path: Path) -> None:
    need("mounts of its own", OWN_MOUNTS)
    disk = tmp_path / "disk"
    disk.mkdir()
    fill = f"mount -t tmpfs -o size=64k none '{disk}' && head -c 64k /dev/zero > '{disk}/x'"
    before = (*WITH_OWN_MOUNTS, f'{fill}; exec "$@"', "sh")
    swept = await swept_with(llama_mcp, *before, home=str(disk / "home"))
    assert "Make room on that disk" in swept.errors["start_llama_server"]


@pytest.fixture
def as_nobody(tmp_path: Path) -> tuple[str, ...]:
    """What starts llama-mcp as a user that has no entry in the system's list of users."""
    need("another user's rights", ANOTHER_USER)
    # A Python in root's own folder is not for others to start anew; only llama-mcp itself runs.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    probe = (sys.executable, "-c", "import llama_mcp")
    need(f"a Python that others may run (not in {sys.prefix})", ANOTHER_USER, probe)
    return ANOTHER_USER


@pytest.mark.parametrize("user_home", [None, ""], ids=["unset", "empty"])
async def test_without_any_home_the_setting_to_set_is_named(
    llama_mcp: LlamaMCP, as_nobody: tuple[str, ...], user_home: str | None
) -> None:
    home = ("-u", "HOME") if user_home is None else (f"HOME={user_home}",)
    swept = await swept_with(llama_mcp, "env", *home, *as_nobody, home="")
    assert set(swept.errors) >= {tool for tool, _ in CALLS}
    for text in swept.errors.values():
        assert "setting LLAMA_MCP_HOME to the full path" in text


async def test_a_home_that_was_used_once_by_root_is_told_with_who_has_to_own_it(
    llama_mcp: LlamaMCP, as_nobody: tuple[str, ...], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / "runs").mkdir(parents=True, mode=0o700)
    (home / "sessions.db").touch(0o600)
    swept = await swept_with(llama_mcp, *as_nobody, home=str(home))
    for tool in ("status", "server_metrics", "server_log", "get_config"):
        assert "Give the folder and all that is in it to the user" in swept.errors[tool]
    assert "cannot be written" in swept.errors["list_sessions"]
    # It needs both, and tells of what it meets first.
    told = ("Give the folder and all that is in it to the user", "cannot be written")
    assert any(text in swept.errors["chat"] for text in told)
