"""A reply outlives the llama-mcp process that asked for it, and the next one reads on."""

import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import psutil
import pytest

from tests.fake_llama_server.install import install_fake, received_requests, set_faults
from tests.fake_llama_server.running import CHAT
from tests.support.client_process import Connection, LlamaMCP
from tests.support.processes import (
    PATIENCE_SECONDS,
    POLL_SECONDS,
    has_llama_server,
    processes_of,
    until,
)
from tests.support.quick import first_quick
from tests.support.raw_client import RawClient, raw_client

pytestmark = pytest.mark.posix  # processes are killed, and files locked

TOKENS = [f"{number} " for number in range(60)]
WHOLE = "".join(TOKENS)
HELD = 20
PART = "".join(TOKENS[:HELD])

Ending = Callable[[RawClient], Awaitable[None]]


async def be_killed(client: RawClient) -> None:
    client.process.send_signal(signal.Signals["SIGKILL"])


async def get_sigterm(client: RawClient) -> None:
    client.process.terminate()


async def lose_stdin(client: RawClient) -> None:
    assert client.process.stdin is not None
    await client.process.stdin.aclose()


ENDINGS = first_quick(be_killed, lose_stdin, get_sigterm)


@pytest.fixture
def held(llama_mcp: LlamaMCP, fake_folder: Path) -> LlamaMCP:
    """Replies stop in the middle until the stand-in gets other faults."""
    fake = install_fake(fake_folder, reply_tokens=TOKENS, hold_at_token=HELD)
    return llama_mcp.having(LLAMA_CPP_PATH=str(fake), PARALLEL="2", LINGER_SECONDS="-1")


def release(fake_folder: Path) -> None:
    set_faults(fake_folder, reply_tokens=TOKENS)


async def leave_a_reply(llama_mcp: LlamaMCP, end: Ending) -> dict[str, Any]:
    """Let a process end in mid-reply whose caller was told to come back; return the session."""
    async with raw_client(llama_mcp) as client:
        await client.hello()
        await client.call("start_llama_server")
        part = (await client.call("chat", message="Count", wait_seconds=0))["structuredContent"]
        session = {"session_id": part["session_id"]}
        told = part["reply"]
        while told != PART:
            more = await client.call("wait_for_reply", wait_seconds=0, **session)
            told += more["structuredContent"]["reply"]
        await end(client)
        await client.exit_code()
    return session


async def last_turn(connection: Connection, session: dict[str, Any]) -> dict[str, Any]:
    page = await connection.call("read_session", **session)
    turn: dict[str, Any] = page["turns"][-1]
    return turn


async def ended_turn(connection: Connection, session: dict[str, Any]) -> dict[str, Any]:
    """Return the last turn once it is over: what has come is taken into the archive first."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while (turn := await last_turn(connection, session))["status"] == "in_progress":
            await anyio.sleep(POLL_SECONDS)
    return turn


def is_whole(turn: dict[str, Any]) -> bool:
    return bool(turn["status"] == "complete" and turn["reply"] == WHOLE)


def posts(fake_folder: Path) -> int:
    return sum(request["path"] == CHAT for request in received_requests(fake_folder))


@pytest.mark.parametrize("end", ENDINGS)
async def test_the_next_process_reads_on_where_the_one_before_ended(
    held: LlamaMCP, fake_folder: Path, end: Ending
) -> None:
    session = await leave_a_reply(held, end)
    async with held.connect() as connection:
        part = await connection.call("wait_for_reply", wait_seconds=0, **session)
        assert (part["status"], part["reply"]) == ("in_progress", PART)
        release(fake_folder)
        whole = await connection.rest_of_reply(part)
        assert (whole["status"], whole["reply"]) == ("complete", WHOLE)
        assert whole["usage"]["completion_tokens"] == len(TOKENS)
        turn = await last_turn(connection, session)
        assert is_whole(turn)
        assert turn["timing"]["tokens_per_second"] > 0 and turn["timing"]["total_ms"] > 0
        assert posts(fake_folder) == 1
        assert not list(held.home.glob("runs/*/streams/*"))
        after = await connection.call("chat", message="And?", max_tokens=1, **session)
        assert after["turn"] == 2
        await connection.call("stop_llama_server", force=True)


async def test_a_reply_goes_through_many_processes_and_has_every_word_once(
    held: LlamaMCP, fake_folder: Path
) -> None:
    session = await leave_a_reply(held, be_killed)
    for number in range(3):
        async with raw_client(held) as client:
            await client.hello()
            part = await client.call("wait_for_reply", wait_seconds=0, **session)
            assert part["structuredContent"]["reply"] == PART
            await ENDINGS_BY_TURN[number](client)
            await client.exit_code()
    release(fake_folder)
    async with held.connect() as connection:
        whole = await connection.call("wait_for_reply", **session)
        assert whole["reply"] == WHOLE
        await connection.call("stop_llama_server", force=True)


ENDINGS_BY_TURN = (be_killed, get_sigterm, lose_stdin)


async def test_what_the_keeper_has_kept_is_taken_without_being_asked_for(
    held: LlamaMCP, fake_folder: Path
) -> None:
    session = await leave_a_reply(held.having(LINGER_SECONDS="0"), be_killed)
    release(fake_folder)
    await until(lambda: not has_llama_server(fake_folder), "llama-server ends unused")
    await until(lambda: not processes_of(held.home / "runs"), "its keeper ends")
    assert list(held.home.glob("runs/*/streams/*.end.json"))
    async with held.connect() as connection:
        await connection.call("status")
        await until(lambda: not list(held.home.glob("runs/*/streams/*")), "it is taken")
        turn = await last_turn(connection, session)
        assert is_whole(turn)
        assert turn["usage"]["completion_tokens"] == len(TOKENS)


async def test_a_second_try_that_ended_without_its_reader_counts(
    held: LlamaMCP, fake_folder: Path
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 5}}}
    second = {"reply_tokens": ['{"n"', ": ", "1}"], "hold_at_token": 2}
    faults = {"reply_tokens": ['{"n": 9}'], "by_text": {"Answer once more": second}}
    set_faults(fake_folder, **faults, hold_at_token=2)
    held = held.having(LINGER_SECONDS="0")
    async with raw_client(held) as client:
        await client.hello()
        await client.call("start_llama_server")
        asked = {"message": "A number", "json_schema": schema, "wait_seconds": 0}
        part = (await client.call("chat", **asked))["structuredContent"]
        session = {"session_id": part["session_id"]}
        await until(lambda: posts(fake_folder) == 2, "it is asked for once more")
        await client.call("wait_for_reply", wait_seconds=0, **session)
        await be_killed(client)
        await client.exit_code()
    set_faults(fake_folder, **faults)
    await until(lambda: not processes_of(held.home / "runs"), "all of them end")
    async with held.connect() as connection:
        whole = await connection.call("wait_for_reply", **session)
        assert (whole["status"], whole["parsed"]) == ("complete", {"n": 1})


async def test_the_busy_session_takes_the_next_message_once_its_reply_is_whole(
    held: LlamaMCP, fake_folder: Path
) -> None:
    session = await leave_a_reply(held, be_killed)
    async with held.connect() as connection:
        assert "still generating" in await connection.refusal("chat", message="And?", **session)
        release(fake_folder)
        await connection.call("wait_for_reply", **session)
        assert (await connection.call("chat", message="And?", **session))["turn"] == 2
        await connection.call("stop_llama_server", force=True)


@pytest.mark.parametrize("end", ENDINGS)
async def test_a_message_that_waits_for_its_model_is_sent_for_whoever_comes_next(
    held: LlamaMCP, fake_folder: Path, end: Ending
) -> None:
    set_faults(fake_folder, load_held=True)
    async with raw_client(held) as client:
        await client.hello()
        part = (await client.call("chat", message="Count", wait_seconds=0))["structuredContent"]
        await end(client)
        await client.exit_code()
    async with held.connect() as connection:
        session = {"session_id": part["session_id"]}
        waiting = await connection.call("wait_for_reply", wait_seconds=0, **session)
        assert (waiting["status"], waiting["reply"]) == ("in_progress", "")
        release(fake_folder)
        await check_sent_once(connection, waiting, fake_folder, posts_in_all=1)


@pytest.mark.parametrize("end", ENDINGS)
async def test_a_message_that_waits_for_a_slot_is_sent_for_whoever_comes_next(
    held: LlamaMCP, fake_folder: Path, end: Ending
) -> None:
    held = held.having(PARALLEL="1")
    async with raw_client(held) as client:
        await client.hello()
        await client.call("start_llama_server")
        await client.call("chat", message="First", wait_seconds=0)
        part = (await client.call("chat", message="Count", wait_seconds=0))["structuredContent"]
        assert part["status"] == "waiting"
        await end(client)
        await client.exit_code()
    async with held.connect() as connection:
        # Looks for what has ended, and leaves what somebody may still want.
        assert part["session_id"] in await connection.refusal("stop_llama_server")
        release(fake_folder)
        await check_sent_once(connection, part, fake_folder, posts_in_all=2)


async def check_sent_once(
    connection: Connection, part: dict[str, Any], fake_folder: Path, posts_in_all: int
) -> None:
    whole = await connection.rest_of_reply({**part, "reply": ""})
    assert (whole["status"], whole["reply"]) == ("complete", WHOLE)
    assert posts(fake_folder) == posts_in_all
    await connection.call("stop_llama_server", force=True)


async def test_of_two_processes_that_come_at_once_both_get_the_whole_reply(
    held: LlamaMCP, fake_folder: Path
) -> None:
    session = await leave_a_reply(held, be_killed)
    replies: list[dict[str, Any]] = []
    async with held.connect() as one, held.connect() as other:

        async def wait(connection: Connection) -> None:
            replies.append(await connection.call("wait_for_reply", **session))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, one)
            tasks.start_soon(wait, other)
            await one.call_until(
                lambda page: page["turns"][-1]["reply"] == PART, "read_session", **session
            )
            release(fake_folder)
        assert [reply["reply"] for reply in replies] == [WHOLE, WHOLE]
        await one.call("stop_llama_server", force=True)


async def test_a_reply_that_nobody_receives_is_cancelled_with_what_had_come(
    held: LlamaMCP,
) -> None:
    session = await leave_a_reply(held, be_killed)
    async with held.connect() as connection:
        stopped = await connection.call("cancel_reply", **session)
        assert (stopped["status"], stopped["reply"]) == ("cancelled", PART)
        assert await busy_slots(connection) == 0
        await connection.call("stop_llama_server", force=True)


async def test_a_reply_whose_llama_server_is_silent_for_a_while_is_not_given_up(
    held: LlamaMCP, fake_folder: Path
) -> None:
    session = await leave_a_reply(held, be_killed)
    async with held.connect() as connection:
        llama_server = psutil.Process((await connection.call("status"))["pid"])
        llama_server.suspend()
        try:
            part = await connection.call("wait_for_reply", wait_seconds=0, **session)
            assert part["status"] == "in_progress"
        finally:
            llama_server.resume()
        release(fake_folder)
        whole = await connection.rest_of_reply(part)
        assert whole["status"] == "complete"
        assert is_whole(await last_turn(connection, session))
        assert posts(fake_folder) == 1
        await connection.call("stop_llama_server", force=True)


async def test_a_reply_of_a_process_that_hangs_is_stopped_by_another_one_all_the_same(
    held: LlamaMCP,
) -> None:
    async with raw_client(held) as hanging, held.connect() as connection:
        await hanging.hello()
        await hanging.call("start_llama_server")
        part = (await hanging.call("chat", message="Count", wait_seconds=0))["structuredContent"]
        session = {"session_id": part["session_id"]}
        await connection.reply_until(PART, **session)
        hanging.process.send_signal(signal.Signals["SIGSTOP"])
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(connection.result, "cancel_reply", **session))
                assert await busy_slots(connection) == 0
                hanging.process.send_signal(signal.Signals["SIGCONT"])
        finally:
            hanging.process.send_signal(signal.Signals["SIGCONT"])
        await connection.call_until(
            lambda page: page["turns"][-1]["status"] == "cancelled", "read_session", **session
        )
        assert (await last_turn(connection, session))["reply"] == PART
        await connection.call("stop_llama_server", force=True)


async def busy_slots(connection: Connection) -> int:
    """Return how many replies llama-server generates, once it is none or a moment has passed."""
    status = await connection.call("status")
    async with httpx2.AsyncClient() as http:
        with anyio.move_on_after(10):
            while True:
                slots = (await http.get(f"{status['url']}/slots")).json()
                busy = sum(slot["is_processing"] for slot in slots)
                if not busy:
                    return 0
                await anyio.sleep(0.02)
    return int(busy)


async def test_without_streams_a_reply_ends_with_its_process_and_says_what_to_do(
    held: LlamaMCP, fake_folder: Path
) -> None:
    set_faults(fake_folder, reply_tokens=TOKENS, hold_at_token=HELD, no_streams=True)
    await check_interrupted(held)


async def test_with_finish_seconds_0_a_reply_ends_with_its_process(held: LlamaMCP) -> None:
    await check_interrupted(held.having(FINISH_SECONDS="0"))


async def check_interrupted(llama_mcp: LlamaMCP) -> None:
    session = await leave_a_reply(llama_mcp, be_killed)
    async with llama_mcp.connect() as connection:
        refusal = await connection.refusal("wait_for_reply", **session)
        assert "ask the model to go on" in refusal and PART.strip() in refusal
        turn = await last_turn(connection, session)
        assert (turn["status"], turn["reply"]) == ("interrupted", PART)
        await connection.call("stop_llama_server", force=True)


async def test_a_reply_whose_llama_server_died_too_is_interrupted_and_says_what_to_do(
    held: LlamaMCP,
) -> None:
    session = await leave_a_reply(held, be_killed)
    for process in processes_of(held.home / "runs"):
        with suppress(psutil.NoSuchProcess):  # it went with the one before
            process.kill()
    await until(lambda: not processes_of(held.home / "runs"), "all of them end")
    async with held.connect() as connection:
        refusal = await connection.refusal("wait_for_reply", **session)
        assert "does not have the rest" in refusal and "ask again" in refusal
        turn = await last_turn(connection, session)
        assert (turn["status"], turn["reply"]) == ("interrupted", PART)


async def test_a_reply_that_is_read_on_goes_on_when_its_llama_server_crashes_then(
    held: LlamaMCP, fake_folder: Path
) -> None:
    session = await leave_a_reply(held, be_killed)
    async with held.connect() as connection:
        part = await connection.call("wait_for_reply", wait_seconds=0, **session)
        assert (part["status"], part["reply"]) == ("in_progress", PART)
        psutil.Process((await connection.call("status"))["pid"]).kill()
        release(fake_folder)
        whole = await connection.rest_of_reply(part)
        assert (whole["status"], whole["reply"]) == ("complete", WHOLE)
        assert any("goes on where it broke off" in note for note in whole["notes"])
        assert is_whole(await last_turn(connection, session))
        assert posts(fake_folder) == 2
        assert not list(held.home.glob("runs/*/streams/*"))
        await connection.call("stop_llama_server", force=True)


async def test_a_reply_that_nobody_was_told_to_come_back_for_is_cancelled_and_kept(
    held: LlamaMCP, fake_folder: Path
) -> None:
    async with raw_client(held) as client:
        await client.hello()
        await client.call("start_llama_server")
        meta = {"progressToken": 1}
        await client.ask("tools/call", name="chat", arguments={"message": "Count"}, _meta=meta)
        received = ""
        while received != PART:
            received += (await client.next()).get("params", {}).get("message") or ""
        await lose_stdin(client)
        assert await client.exit_code() == 0
    await until(
        lambda: bool(list(held.home.glob("runs/*/streams/*.end.json"))), "the keeper ends it"
    )
    async with held.connect() as connection:
        session = {
            "session_id": (await connection.call("list_sessions"))["sessions"][0]["session_id"]
        }
        turn = await ended_turn(connection, session)
        assert (turn["status"], turn["reply"]) == ("cancelled", PART)
        assert await busy_slots(connection) == 0
        await connection.call("stop_llama_server", force=True)


GREEDY: dict[str, Any] = {"message": "Go on", "temperature": 0, "max_tokens": 700}


@pytest.mark.parametrize("is_read_at_once", first_quick(True, False))
async def test_a_greedy_reply_that_went_through_two_processes_is_the_same_byte_by_byte(
    llama_mcp: LlamaMCP, engine: str, is_read_at_once: bool
) -> None:
    one = llama_mcp.having(LLAMA_CPP_PATH=engine, CTX_SIZE="2048", LINGER_SECONDS="-1")
    async with one.connect() as connection:
        await connection.call("start_llama_server")
        whole = await connection.call("chat", **GREEDY, wait_seconds=600)
    async with raw_client(one) as client:
        await client.hello()
        part = await client.call("chat", **GREEDY, wait_seconds=0)
        assert not part.get("isError"), part
        asked_for = partial(one.home.glob, "runs/*/streams/*.json")
        await until(lambda: bool(list(asked_for())), "it is asked for")
        await be_killed(client)
        await client.exit_code()
    session = {"session_id": part["structuredContent"]["session_id"]}
    if not is_read_at_once:
        await until(
            lambda: bool(list(one.home.glob("runs/*/streams/*.end.json"))), "the keeper has it"
        )
    async with one.connect() as connection:
        again = await connection.call("wait_for_reply", **session, wait_seconds=600)
        turn = await last_turn(connection, session)
        assert (again["status"], turn["reply"]) == ("complete", whole["reply"])
        assert turn["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"]
        assert turn["finish_reason"] == "length"
        await connection.call("stop_llama_server", force=True)
