"""Runs that another version recorded, and records that cannot be read: seen, and never lost."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.keeper import run_dir
from llama_mcp.llama_server.runs.records import LAUNCH_FORMAT
from llama_mcp.settings import LaunchSettings
from tests.faults.victims import current_run, start_model
from tests.support.client_process import LlamaMCP
from tests.support.processes import is_gone, until
from tests.support.raw_client import RawClient, raw_client

Change = Callable[[dict[str, Any]], object]
OLDER_RECORDS: dict[str, Change] = {
    **{
        f"no {field} in the config": lambda launch, field=field: launch["config"].pop(field)  # type: ignore[misc]  # a default argument of a lambda has no type
        for field in LaunchSettings.model_fields
    },
    "no format": lambda launch: launch.pop("format"),
    "no restarts": lambda launch: (launch.pop("restarts"), launch.pop("first_failure")),
    "no notes": lambda launch: launch.pop("notes"),
    "an engine of another kind": lambda launch: launch["engine"].update(kind="remote"),
    "fields that nobody knows": lambda launch: (
        launch.update(colour="blue"),
        launch["config"].update(draft_model=None),
    ),
}
UNREADABLE_RECORDS: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "not JSON": lambda content: b"\xff\x00 no JSON",
    "no object": lambda content: b"[]",
    "a port that is no number": lambda content: changed(content, port="eighty"),
    "without an address": lambda content: changed(content, port=None),
    "of a newer format": lambda content: changed(content, format=LAUNCH_FORMAT + 1),
}


def changed(content: bytes, **fields: Any) -> bytes:
    return json.dumps(json.loads(content) | fields).encode()


def launch_file(llama_mcp: LlamaMCP) -> Path:
    return current_run(llama_mcp.home).folder / run_dir.LAUNCH


@pytest.fixture(scope="module")
def defaults(shared_llama_mcp: LlamaMCP) -> LlamaMCP:
    """As a start without extra_args: a config that lacks them means that."""
    return shared_llama_mcp.having(EXTRA_ARGS="")


@pytest.fixture(scope="module")
async def shared_two(defaults: LlamaMCP) -> AsyncIterator[tuple[RawClient, RawClient]]:
    async with raw_client(defaults) as first, raw_client(defaults) as second:
        await first.hello()
        await second.hello()
        yield first, second


@pytest.fixture
async def two(
    shared_two: tuple[RawClient, RawClient],
) -> AsyncIterator[tuple[RawClient, RawClient]]:
    """Two clients that find no llama-server, and leave none."""
    yield shared_two
    await shared_two[0].call("stop_llama_server", force=True)


@pytest.mark.parametrize("change", OLDER_RECORDS.values(), ids=OLDER_RECORDS)
async def test_a_run_of_another_version_is_seen_joined_talked_to_and_stopped(
    two: tuple[RawClient, RawClient], defaults: LlamaMCP, change: Change
) -> None:
    first, second = two
    pid = await start_model(first)
    path = launch_file(defaults)
    launch = json.loads(path.read_bytes())
    change(launch)
    path.write_text(json.dumps(launch))

    status = (await second.call("status"))["structuredContent"]
    assert status["state"] == "ready" and status["pid"] == pid
    assert status["engine"]["kind"] == launch["engine"]["kind"]
    joined = (await second.call("start_llama_server"))["structuredContent"]
    assert joined["already_running"] and joined["pid"] == pid
    reply = await second.call("chat", message="Hello", max_tokens=2)
    assert reply["structuredContent"]["status"] == "complete"
    stopped = await second.call("stop_llama_server", force=True)
    assert stopped["structuredContent"]["state"] == "stopped"
    await until(lambda: is_gone(pid), "llama-server ends")


@pytest.mark.parametrize("damage", UNREADABLE_RECORDS.values(), ids=UNREADABLE_RECORDS)
async def test_a_run_whose_record_cannot_be_read_is_named_and_can_be_stopped(
    llama_mcp: LlamaMCP, damage: Callable[[bytes], bytes]
) -> None:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        pid = await start_model(client)
        path = launch_file(llama_mcp)
        path.write_bytes(damage(path.read_bytes()))

        result = await client.call("status")
        status = result["structuredContent"]
        assert status["state"] == "unresponsive" and status["pid"] == pid
        assert status["clients"] == 1 and status["memory_bytes"] > 0
        assert "stop_llama_server" in result["content"][0]["text"]
        for tool, arguments in {
            "start_llama_server": {},
            "chat": {"message": "Hello"},
            "get_config": {},
        }.items():
            refusal = await client.call(tool, **arguments)
            text = refusal["content"][0]["text"]
            assert refusal["isError"] and "cannot be read (launch.json: " in text
            assert str(path.parent) in text and f"pid {pid}" in text
            assert "stop_llama_server" in text
        for reader in ("server_metrics", "server_log"):
            assert not (await client.call(reader)).get("isError")
        stopped = (await client.call("stop_llama_server"))["structuredContent"]
        assert stopped["state"] == "stopped" and str(path.parent) in stopped["message"]
        await until(lambda: is_gone(pid), "llama-server ends")
        await start_model(client)


async def test_a_start_with_replace_ends_what_cannot_be_read(llama_mcp: LlamaMCP) -> None:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        pid = await start_model(client)
        launch_file(llama_mcp).write_text("{")
        result = await client.call("start_llama_server", replace=True)
        assert result["structuredContent"]["state"] == "ready"
        assert is_gone(pid)


async def test_what_cannot_be_read_is_not_stopped_while_another_process_uses_it(
    two: tuple[RawClient, RawClient], defaults: LlamaMCP
) -> None:
    first, second = two
    pid = await start_model(first)
    launch_file(defaults).write_text("{")
    for tool, arguments in {
        "stop_llama_server": {},
        "start_llama_server": {"replace": True},
    }.items():
        refusal = await second.call(tool, **arguments)
        assert refusal["isError"] and "in use" in refusal["content"][0]["text"]
    assert not is_gone(pid)
    await second.call("stop_llama_server", force=True)
    assert is_gone(pid)


async def test_a_process_that_was_given_the_pid_of_an_unreadable_run_is_left_alone(
    llama_mcp: LlamaMCP,
) -> None:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        await start_model(client)
        folder = current_run(llama_mcp.home).folder
        await client.call("stop_llama_server")
        state = json.loads((folder / run_dir.STATE).read_bytes())
        stranger = {"pid": client.process.pid, "start": "another time"}
        state |= {"keeper": stranger, "llama_server": stranger, "exit": None}
        run_dir.write_whole(str(folder / run_dir.STATE), state)
        (folder / run_dir.STOP).unlink()
        (folder / run_dir.LAUNCH).write_text("{")
        assert (await client.call("status"))["structuredContent"]["state"] == "stopped"
        await client.call("stop_llama_server", force=True)
        await start_model(client)


@pytest.mark.parametrize("content", [b"", b"{", b'{"run": 5}', b'{"run": "gone"}', None])
async def test_without_a_readable_pointer_the_newest_run_counts(
    two: tuple[RawClient, RawClient], defaults: LlamaMCP, content: bytes | None
) -> None:
    first, second = two
    await start_model(first)
    await first.call("stop_llama_server")
    pid = await start_model(first)
    pointer = defaults.home / "runs" / "current.json"
    pointer.unlink() if content is None else pointer.write_bytes(content)
    assert (await second.call("status"))["structuredContent"]["pid"] == pid
    joined = (await second.call("start_llama_server"))["structuredContent"]
    assert joined["already_running"] and joined["pid"] == pid
    await second.call("stop_llama_server", force=True)
    assert is_gone(pid)
