"""A reply that another llama-mcp process generates is stopped, whatever that one does meanwhile."""

import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import Connection, LlamaMCP
from tests.support.processes import PATIENCE_SECONDS, POLL_SECONDS, until
from tests.support.raw_client import RawClient, raw_client

TOKENS = [f"{number} " for number in range(60)]
HELD = 20
PART = "".join(TOKENS[:HELD])
ELSEWHERE = "It was stopped from another llama-mcp process than its own."
kills = pytest.mark.posix  # processes are killed and stood still by signals


@pytest.fixture
def held(llama_mcp: LlamaMCP, fake_folder: Path) -> LlamaMCP:
    """Replies stop in the middle until the stand-in gets other faults; two slots."""
    fake = install_fake(fake_folder, reply_tokens=TOKENS, hold_at_token=HELD)
    return llama_mcp.having(LLAMA_CPP_PATH=str(fake), PARALLEL="2")


@pytest.fixture(params=["streams", "no streams"])
def either(request: pytest.FixtureRequest, held: LlamaMCP) -> LlamaMCP:
    """With replies that outlive their process, and without."""
    return held if request.param == "streams" else held.having(FINISH_SECONDS="0")


@asynccontextmanager
async def asking(llama_mcp: LlamaMCP) -> AsyncIterator[RawClient]:
    """The process that generates; the other one cancels."""
    async with raw_client(llama_mcp) as client:
        await client.hello()
        await client.call("start_llama_server")
        yield client


async def ask(client: RawClient, message: str = "Count") -> str:
    told = await client.call("chat", message=message, wait_seconds=0)
    session_id: str = told["structuredContent"]["session_id"]
    return session_id


def row_of(llama_mcp: LlamaMCP, session_id: str) -> dict[str, Any] | None:
    """Return what the archive has of a turn under way."""
    with closing(sqlite3.connect(llama_mcp.home / "sessions.db")) as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute(
            "SELECT underway.* FROM underway JOIN sessions ON session_key = turn_key >> 20"
            " WHERE session_id = ?",
            (session_id,),
        ).fetchone()
    return None if row is None else dict(row)


def pieces(llama_mcp: LlamaMCP) -> int:
    with closing(sqlite3.connect(llama_mcp.home / "sessions.db")) as connection:
        count: int = connection.execute("SELECT count(*) FROM job_pieces").fetchone()[0]
    return count


async def until_row(llama_mcp: LlamaMCP, session_id: str, **wanted: Any) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            row = row_of(llama_mcp, session_id) or {}
            if all(part in str(row.get(name)) for name, part in wanted.items()):
                return
            await anyio.sleep(POLL_SECONDS)


async def archived(connection: Connection, session_id: str) -> dict[str, Any]:
    page = await connection.call("read_session", session_id=session_id)
    turn: dict[str, Any] = page["turns"][-1]
    return turn


async def test_what_had_come_is_told_and_kept(either: LlamaMCP) -> None:
    async with asking(either) as client, either.connect() as other:
        session_id = await ask(client)
        await until_row(either, session_id, reply=PART)
        reply = await other.call("cancel_reply", session_id=session_id)
        assert (reply["status"], reply["reply"]) == ("cancelled", PART)
        assert ELSEWHERE in reply["notes"]
        own = await client.call("wait_for_reply", session_id=session_id)
        assert own["structuredContent"]["status"] == "cancelled"
        turn = await archived(other, session_id)
        assert (turn["status"], turn["reply"]) == ("cancelled", PART)
        assert row_of(either, session_id) is None


async def test_a_turn_that_waits_for_a_slot_is_stopped_and_is_never_sent(
    held: LlamaMCP, fake_folder: Path
) -> None:
    async with asking(held) as client, held.connect() as other:
        sessions = [await ask(client, f"Number {number}") for number in range(3)]
        await until_row(held, sessions[2], progress='"queued","place":1')
        reply = await other.call("cancel_reply", session_id=sessions[2])
        assert (reply["status"], reply["reply"]) == ("cancelled", "")
        set_faults(fake_folder, reply_tokens=TOKENS)
        for session_id in sessions[:2]:
            whole = await client.call("wait_for_reply", session_id=session_id, wait_seconds=60)
            assert whole["structuredContent"]["status"] == "complete"
    received = (fake_folder / "requests.jsonl").read_text()
    assert "Number 1" in received and "Number 2" not in received


async def test_a_turn_whose_model_loads_is_stopped(held: LlamaMCP, fake_folder: Path) -> None:
    set_faults(fake_folder, load_held=True)
    async with raw_client(held) as client, held.connect() as other:
        await client.hello()
        session_id = await ask(client)
        await until_row(held, session_id, progress="loading")
        reply = await other.call("cancel_reply", session_id=session_id)
        assert (reply["status"], reply["reply"]) == ("cancelled", "")
        set_faults(fake_folder, reply_tokens=["a"])
        again = await client.call("chat", message="And?", session_id=session_id)
        assert again["structuredContent"]["reply"] == "a"


async def test_a_job_is_stopped_and_its_finished_pieces_are_told(
    held: LlamaMCP, fake_folder: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for name in ("a", "b"):
        (work / f"{name}.md").write_text(f"This is {name}.\n")
    set_faults(fake_folder, by_text={"This is a.": {}}, hold_at_token=2)
    having = held.having(FILE_DIRS=str(work))
    async with asking(having) as client, having.connect() as other:
        told = await client.call(
            "run_on_files", files=["*.md"], instruction="Sum up", each=True, wait_seconds=0
        )
        session_id = told["structuredContent"]["session_id"]

        await until(lambda: pieces(having) == 1, "one piece is finished")
        reply = await other.call("cancel_reply", session_id=session_id)
        assert reply["status"] == "cancelled" and ELSEWHERE in reply["notes"]
        turn = await archived(other, session_id)
        assert turn["status"] == "cancelled" and "## a.md" in turn["reply"]


async def test_a_turn_that_ends_meanwhile_is_whole_and_the_answer_says_so(
    held: LlamaMCP, fake_folder: Path
) -> None:
    set_faults(fake_folder, reply_tokens=TOKENS)
    async with asking(held) as client, held.connect() as other:
        for _ in range(6):
            session_id = await ask(client)
            reply = await other.call("cancel_reply", session_id=session_id)
            turn = await archived(other, session_id)
            assert (reply["status"], reply["reply"]) == (turn["status"], turn["reply"])
            if reply["status"] == "complete":
                assert any("has stopped nothing" in note for note in reply["notes"])
            else:
                assert reply["status"] == "cancelled"
                assert "".join(TOKENS).startswith(reply["reply"])


@kills
async def test_a_process_that_has_died_leaves_what_had_come_to_whoever_cancels(
    held: LlamaMCP,
) -> None:
    async with asking(held) as client, held.connect() as other:
        session_id = await ask(client)
        await until_row(held, session_id, reply=PART)
        client.process.send_signal(signal.Signals["SIGKILL"])
        await client.exit_code()
        reply = await other.call("cancel_reply", session_id=session_id)
        assert (reply["status"], reply["reply"]) == ("cancelled", PART)
        assert row_of(held, session_id) is None


@kills
async def test_a_process_that_dies_while_it_is_asked_to_stop_leaves_what_had_come(
    either: LlamaMCP,
) -> None:
    async with asking(either) as client, either.connect() as other:
        session_id = await ask(client)
        await until_row(either, session_id, reply=PART)
        # Standing still, it reads no mark.
        client.process.send_signal(signal.Signals["SIGSTOP"])
        async with anyio.create_task_group() as tasks:
            told: list[str] = []

            async def cancel() -> None:
                result = await other.result("cancel_reply", session_id=session_id)
                told.append(str(result.structured_content or result.content))

            tasks.start_soon(cancel)
            await until_row(either, session_id, is_cancel_asked="1")
            psutil.Process(client.process.pid).kill()
        assert PART in told[0], told
        turn = await archived(other, session_id)
        assert turn["status"] in ("cancelled", "interrupted") and turn["reply"] == PART
        assert row_of(either, session_id) is None
        await client.exit_code()


@kills
async def test_a_process_that_stands_still_is_named_in_time_and_stops_when_it_goes_on(
    held: LlamaMCP, fake_folder: Path
) -> None:
    async with asking(held) as client, held.connect() as other:
        session_id = await ask(client)
        await until_row(held, session_id, reply=PART)
        client.process.send_signal(signal.Signals["SIGSTOP"])
        told = await other.refusal("cancel_reply", session_id=session_id)
        assert "was asked to stop it" in told and "may hang" in told
        client.process.send_signal(signal.Signals["SIGCONT"])
        own = await client.call("wait_for_reply", session_id=session_id, wait_seconds=60)
        assert own["structuredContent"]["status"] == "cancelled"


async def test_deleting_a_session_that_generates_elsewhere_is_refused_and_a_cancel_is_next(
    held: LlamaMCP,
) -> None:
    async with asking(held) as client, held.connect() as other:
        session_id = await ask(client)
        told = await other.refusal("delete_session", session_id=session_id)
        assert "is still generating a reply" in told and "cancel_reply" in told
        await other.call("cancel_reply", session_id=session_id)
        assert (await other.call("delete_session", session_id=session_id))["turns"] == 1
