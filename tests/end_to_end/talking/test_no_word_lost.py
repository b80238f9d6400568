"""What was said is in the archive, whatever happens to the process, the disk or the file."""

import random
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import LlamaMCP
from tests.support.processes import limit_file_size, until, until_all_leave
from tests.support.quick import often
from tests.support.raw_client import raw_client

# tests/sessions has more of them in a process that is quicker to start.
KILLS = often(4, in_a_soak=30)
AT_ONCE = 3
TOKENS = [f"{number} " for number in range(200)]


@pytest.mark.slow
async def test_kills_in_mid_reply_lose_no_message_and_nothing_that_was_saved(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    # No reply ends before its llama-mcp is killed.
    fake = install_fake(
        fake_folder, reply_tokens=TOKENS, token_delay_seconds=0.01, hold_at_token=len(TOKENS)
    )
    # Replies that go on instead are those of test_outliving.py.
    settings = {"LINGER_SECONDS": "-1", "FINISH_SECONDS": "0", "PARALLEL": str(AT_ONCE)}
    keep = llama_mcp.having(LLAMA_CPP_PATH=str(fake), **settings)
    numbers = iter(range(KILLS))
    async with keep.connect() as connection:
        await connection.call("start_llama_server")

    async def kill_some() -> None:
        for number in numbers:
            await kill_in_mid_reply(keep, number)

    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(kill_some)

    async with keep.connect() as connection:
        listed = await connection.call("list_sessions", limit=100)
        assert listed["total"] == KILLS
        session = {"session_id": listed["sessions"][0]["session_id"]}
        page = await connection.call("read_session", **session)
        assert page["turns"][0]["status"] == "interrupted"
        after = await connection.call("chat", message="Go on", max_tokens=3, **session)
        assert after["turn"] == 2
        await connection.call("stop_llama_server", force=True)


async def kill_in_mid_reply(llama_mcp: LlamaMCP, number: int) -> None:
    question = f"Go on and on, number {number}"
    async with raw_client(llama_mcp) as client:
        await client.hello()
        meta = {"progressToken": 1}
        await client.ask("tools/call", name="chat", arguments={"message": question}, _meta=meta)
        received = ""
        # A moment, counted in characters; every second time one at which a part is saved.
        characters = random.Random(number).randrange(1, len("".join(TOKENS)))
        while len(received) < characters:
            received += (await client.next()).get("params", {}).get("message") or ""
        if number % 2:
            await until(lambda: kept_reply(llama_mcp.home, question) != "", "a part is saved")
        saved = kept_reply(llama_mcp.home, question)
        client.process.send_signal(signal.Signals["SIGKILL"])
        await client.exit_code()
    kept = kept_reply(llama_mcp.home, question)
    assert kept.startswith(saved)
    # Other than its length, it is the text that the client saw.
    shorter = min(len(kept), len(received))
    assert kept[:shorter] == received[:shorter]


KEPT_REPLY = """
    SELECT coalesce(underway.reply, turns.reply)
    FROM turns LEFT JOIN underway USING (turn_key) WHERE message = ?
"""


def kept_reply(home: Path, question: str) -> str:
    """Return what the archive has of a reply, also while nobody has ended its turn."""
    with closing(sqlite3.connect(home / "sessions.db")) as archive:
        ((reply,),) = archive.execute(KEPT_REPLY, (question,)).fetchall()
    return str(reply)


async def test_a_full_disk_still_gives_the_reply_and_says_that_it_is_not_saved(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, hold_at_token=3)
    async with raw_client(llama_mcp.having(LLAMA_CPP_PATH=str(fake))) as client:
        await client.hello()
        await client.call("start_llama_server")
        part = (await client.call("chat", message="Go on", wait_seconds=0))["structuredContent"]
        # From now on no file can grow: what a full disk is to a program.
        limit_file_size(client.process.pid, 1)
        set_faults(fake_folder)
        session = {"session_id": part["session_id"]}
        told = part["reply"]
        while part["status"] == "in_progress":
            part = (await client.call("wait_for_reply", **session))["structuredContent"]
            told += part["reply"]
        assert told.endswith("lazy dog.")
        assert any("not saved" in note for note in part["notes"])
        refused = await client.call("chat", message="More")
        assert refused["isError"] and "archive" in refused["content"][0]["text"]
        # Room again: the ending that could not be written is written now.
        limit_file_size(client.process.pid, None)
        page = (await client.call("read_session", **session))["structuredContent"]
        assert page["turns"][0]["status"] == "complete"
        assert page["turns"][0]["reply"] == told


async def test_a_damaged_archive_is_moved_aside_and_its_new_name_is_told(
    llama_mcp: LlamaMCP,
) -> None:
    llama_mcp.home.mkdir()
    (llama_mcp.home / "sessions.db").write_bytes(b"this was a database once" * 100)
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server")
        reply = await connection.call("chat", message="Hello", max_tokens=2)
        (moved,) = llama_mcp.home.glob("sessions.db.damaged-*")
        assert any(moved.name in note for note in reply["notes"])
        assert moved.read_bytes().startswith(b"this was a database once")


async def test_an_archive_of_a_newer_version_is_refused_and_left_alone(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("list_sessions")
    path = llama_mcp.home / "sessions.db"
    archive = sqlite3.connect(path)
    with archive:
        archive.execute("PRAGMA user_version = 999")
    archive.close()
    before = path.read_bytes()
    async with llama_mcp.connect() as connection:
        refusal = await connection.refusal("list_sessions")
    assert "newer" in refusal
    assert path.read_bytes() == before


async def test_two_processes_on_one_archive_see_each_others_words(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, by_text={"Three": {"hang_at_token": 2}})
    shared = llama_mcp.having(LLAMA_CPP_PATH=str(fake))
    async with shared.connect() as one, shared.connect("legacy") as other:
        started = await one.call("start_llama_server")
        joined = await other.call("start_llama_server")
        assert (joined["already_running"], joined["pid"]) == (True, started["pid"])
        assert joined["clients"] == 2
        first = await one.call("chat", message="One", max_tokens=3)
        session = {"session_id": first["session_id"]}
        second = await other.call("chat", message="Two", max_tokens=3, **session)
        assert second["turn"] == 2
        part = await one.call("chat", message="Three", wait_seconds=0, **session)
        assert part["status"] == "in_progress"
        refusal = await other.refusal("chat", message="Four", **session)
        assert "still generating" in refusal
        await one.call("cancel_reply", **session)
        assert "which last asked for it" in await other.refusal("stop_llama_server")
        await other.call("stop_llama_server", force=True)
        await until_all_leave(llama_mcp.home / "runs", "llama-server ends")


async def test_any_text_is_kept_and_comes_back_as_valid_unicode(llama_mcp: LlamaMCP) -> None:
    odd = "NUL \x00, a tab \t, \u2028, \U0001f600, \u0301 and 中文"
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server", ctx_size=2048)
        reply = await connection.call("chat", message=odd, max_tokens=3)
        page = await connection.call("read_session", session_id=reply["session_id"])
        assert page["turns"][0]["message"] == odd
    async with raw_client(llama_mcp) as client:
        await client.hello()
        await client.call("start_llama_server", ctx_size=2048)
        # Half a surrogate pair is no Unicode; it is taken as U+FFFD.
        reply = (await client.call("chat", message="\ud83d", max_tokens=3))["structuredContent"]
        page = await client.call("read_session", session_id=reply["session_id"])
        assert page["structuredContent"]["turns"][0]["message"] == "\ufffd"
