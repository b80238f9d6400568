"""What an operator reads of llama-server's life: on stderr at INFO, and in the keeper's own log."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from tests.faults.victims import current_run, start_model
from tests.support.client_process import LlamaMCP
from tests.support.processes import is_gone, until
from tests.support.raw_client import RawClient, raw_client

EVENT = re.compile(r"llama-server run=(?P<run>\S+) pid=(?P<pid>\S+): (?P<event>.*)")
SECRET = "periwinkle"


@asynccontextmanager
async def logged(llama_mcp: LlamaMCP, path: Path) -> AsyncIterator[RawClient]:
    with path.open("wb") as stderr:
        async with raw_client(llama_mcp.having(LOG_LEVEL="INFO"), stderr) as client:
            await client.hello()
            yield client
            # Left in peace, it writes out what it has logged; one that is killed may not.
            assert client.process.stdin is not None
            await client.process.stdin.aclose()
            assert await client.exit_code() == 0


def events(path: Path) -> list[tuple[str, int, str]]:
    """Return run, pid and event of each line about a run, in order."""
    lines = [EVENT.search(line) for line in path.read_text().splitlines()]
    return [(line["run"], int(line["pid"]), line["event"]) for line in lines if line]


async def test_each_change_of_state_is_one_line_with_run_and_pid_and_no_word_of_a_message(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    first_log, second_log = tmp_path / "first.log", tmp_path / "second.log"
    home = llama_mcp.home

    async with logged(llama_mcp, first_log) as first:
        pid = await start_model(first)
        run = current_run(home).name
        for _ in range(3):
            await first.call("status")
        async with logged(llama_mcp, second_log) as second:
            await start_model(second)
            await second.call("status")
        expected = [(run, pid, "starting"), (run, pid, "starting -> ready")]

        await first.call("chat", message=f"Say {SECRET}", max_tokens=2)
        psutil.Process(pid).kill()
        await until(lambda: is_gone(pid), "llama-server is dead")
        reply = await first.call("chat", message=f"Say {SECRET}", max_tokens=2)
        assert not reply.get("isError"), reply
        restarted = current_run(home).name
        pid_again = (await first.call("status"))["structuredContent"]["pid"]
        expected += [
            (run, pid, "ready -> crashed (ended by SIGKILL (9))"),
            (restarted, pid_again, "starting"),
            (restarted, pid_again, f"restarts the crashed run={run}"),
            (restarted, pid_again, "starting -> ready"),
        ]

        await first.call("start_llama_server", ctx_size=512, replace=True)
        replacing = current_run(home).name
        new_pid = (await first.call("status"))["structuredContent"]["pid"]
        await first.call("stop_llama_server")
        await first.call("status")
        expected += [
            (restarted, pid_again, "ready -> stopped (a stop was asked for)"),
            (replacing, new_pid, "starting"),
            (replacing, new_pid, f"replaces run={restarted}"),
            (replacing, new_pid, "starting -> ready"),
            (replacing, new_pid, "ready -> stopped (a stop was asked for)"),
        ]

    assert events(first_log) == expected
    assert events(second_log) == [(run, pid, "ready"), (run, pid, "joined")]
    for path in (first_log, second_log, *home.glob("runs/*/keeper.log")):
        assert SECRET not in path.read_text()


async def test_a_run_that_its_keeper_ended_as_unused_is_told_from_one_that_was_stopped(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    log = tmp_path / "watching.log"
    async with logged(llama_mcp, log) as watching:
        async with raw_client(llama_mcp) as user:
            await user.hello()
            pid = await start_model(user)
            await watching.call("status")
        await until(lambda: is_gone(pid), "the keeper ends what nobody uses")
        await watching.call("status")
    run = current_run(llama_mcp.home)
    stopped = "ready -> stopped (unused: nobody held a lease on it)"
    told = [event for event in events(log) if not event[2].startswith("ready -> stopping")]
    assert told == [(run.name, pid, "ready"), (run.name, pid, stopped)]


async def test_the_keepers_log_says_what_it_spawned_and_why_it_ended_it(
    llama_mcp: LlamaMCP,
) -> None:
    async with raw_client(llama_mcp) as client:
        await client.hello()
        pid = await start_model(client)
        stopped = current_run(llama_mcp.home).folder / "keeper.log"
        await client.call("stop_llama_server")
        unused_pid = await start_model(client)
        unused = current_run(llama_mcp.home).folder / "keeper.log"
    await until(lambda: "ended" in unused.read_text(), "the keeper ends what nobody uses")
    for path, spawned, why in ((stopped, pid, "asked to stop"), (unused, unused_pid, "unused for")):
        lines = [line.split(" ", 1)[1] for line in path.read_text().splitlines()]
        assert lines[0] == f"llama-server spawned, pid {spawned}"
        assert lines[1].startswith(why) and lines[2].startswith("llama-server ended with")
        assert len(lines) == 3
