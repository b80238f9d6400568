"""Replies whose reader is gone, with real llama-servers, readers that are killed, real files."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from llama_mcp.keeper import run_dir, streams
from llama_mcp.llama_server.engine.locate import locate_engine
from tests.fake_llama_server.faults import DEFAULT_TOKENS
from tests.fake_llama_server.install import install_fake, set_faults
from tests.keeper.kept_run import KeptRun
from tests.keeper.kept_stream import StreamingRun, text_of
from tests.keeper.stream_reader_program import KEY
from tests.support.processes import is_gone, limit_file_size, until

FINISH_SECONDS = 600
HELLO = {"messages": [{"role": "user", "content": "hello"}], "stream": True}
GREEDY = HELLO | {"temperature": 0, "max_tokens": 300, "cache_prompt": False}
# The stand-in stays at this token until it is told otherwise.
HELD = {"hold_at_token": 3}


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    return install_fake(tmp_path / "fake", **HELD)


def of_fake(run: KeptRun, fake: Path, **launch: Any) -> StreamingRun:
    environment = {name: os.environ.get(name, "") for name in ("PATH", "SYSTEMROOT")}
    environment |= {run_dir.API_KEY_VARIABLE: KEY}
    wanted = {"finish_seconds": FINISH_SECONDS, "environment": environment} | launch
    return StreamingRun(run, [str(fake), "-m", "m.gguf"], **wanted)


async def test_a_reply_whose_reader_is_killed_is_kept_whole(
    run: KeptRun, lease: FileLock, engine: str, tiny_model: Path
) -> None:
    command = [*locate_engine(engine, "").command, "-m", str(tiny_model), "-t", "1", "-np", "1"]
    kept = StreamingRun(run, [*command, "-c", "2048"], finish_seconds=FINISH_SECONDS)
    await kept.until_ready()
    uninterrupted = kept.ask("POST", "/v1/chat/completions", GREEDY)
    read = await kept.begin_and_lose("a", GREEDY)
    assert await kept.until_ended("a") == ("done", True)
    assert kept.end_of("a")["from_byte"] == len(read)
    assert read + kept.kept("a") == kept.whole("a")
    assert text_of(read + kept.kept("a")) == text_of(uninterrupted)
    (run.folder / run_dir.STOP).touch()
    assert (await run.until_over())["was_asked_to"] is True


async def test_a_stop_ends_replies_under_way_that_are_read_and_that_are_not(
    run: KeptRun, lease: FileLock, engine: str, tiny_model: Path
) -> None:
    command = [*locate_engine(engine, "").command, "-m", str(tiny_model), "-t", "1", "-np", "2"]
    kept = StreamingRun(run, [*command, "-c", "65536"], finish_seconds=FINISH_SECONDS)
    await kept.until_ready()
    endless = GREEDY | {"max_tokens": 30000}
    unread = await kept.begin_and_lose("unread", endless)
    await until(lambda: len(kept.kept("unread")) > 1000, "the keeper keeps the one")
    with kept.reader("read", "follow", endless) as reader:
        reader.until_it_says("reading")
        before = len(kept.read_by("read"))
        (run.folder / run_dir.STOP).touch()
        reader.until_it_says("ended")
    assert (await run.until_over())["was_asked_to"] is True
    assert await kept.until_ended("unread") == ("stopped", False)
    assert len(kept.read_by("read")) >= before
    assert text_of(unread + kept.kept("unread")).startswith(text_of(unread))


async def test_an_unused_llama_server_stays_until_the_reply_is_done(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    kept = of_fake(run, fake)
    await kept.until_ready()
    read = await kept.begin_and_lose("a", HELLO)
    lease.release()
    await kept.until_caught_up("a")
    stays(run)
    set_faults(fake.parent)
    assert (await run.until_over())["was_asked_to"] is True
    assert await kept.until_ended("a") == ("done", True)
    assert text_of(read + kept.kept("a")) == "".join(DEFAULT_TOKENS)


async def test_a_reply_that_nobody_comes_for_is_ended_in_time(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    kept = of_fake(run, fake, finish_seconds=1)
    await kept.until_ready()
    read = await kept.begin_and_lose("a", HELLO)
    lease.release()
    assert await kept.until_ended("a") == ("time", False)
    assert text_of(read + kept.kept("a")) == "".join(DEFAULT_TOKENS[:3])
    assert (await run.until_over())["was_asked_to"] is True


async def test_a_reply_of_which_nobody_was_told_is_ended_after_the_grace(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    kept = of_fake(run, fake)
    await kept.until_ready()
    await kept.begin_and_lose("untold", HELLO)
    lease.release()
    await kept.until_caught_up("untold")
    stays(run)
    assert await kept.until_ended("untold") == ("unwanted", False)
    assert (await run.until_over())["was_asked_to"] is True


@pytest.mark.parametrize(
    ("gone_seconds", "finish_seconds", "is_told", "why"),
    [
        (0, 600, False, None),
        (9.9, 600, False, None),
        (10, 600, False, "unwanted"),
        (10, 600, True, None),
        (599.9, 600, True, None),
        (600, 600, True, "time"),
        (5, 5, False, "time"),
        (0, 0, True, "time"),
    ],
)
def test_a_reply_is_ended_when_its_time_or_its_grace_is_over(
    gone_seconds: float, finish_seconds: float, is_told: bool, why: str | None
) -> None:
    assert streams.reason_to_end(gone_seconds, finish_seconds, is_told=is_told) == why


async def test_a_reply_is_taken_up_by_another_reader_and_stays_as_long_as_that_reads(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    kept = of_fake(run, fake, finish_seconds=2)
    await kept.until_ready()
    await kept.begin_and_lose("a", HELLO)
    await kept.until_caught_up("a")
    with kept.reader("a", "adopt") as reader:
        reader.until_it_says("adopted")
        lease.release()
        stays(run, 3)  # longer than a reply without a reader may take
        set_faults(fake.parent)
        reader.until_it_says("ended")
        whole = kept.whole("a")
    assert kept.read_by("a") == whole
    assert text_of(whole) == "".join(DEFAULT_TOKENS)
    await run.until_over()


async def test_a_reply_longer_than_llama_server_holds_is_kept_whole(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    tokens = [f" {number}" for number in range(40)]
    faults = {"reply_tokens": tokens, "stream_ring_bytes": 4000}
    set_faults(fake.parent, **faults, hold_at_token=3)
    kept = of_fake(run, fake)
    await kept.until_ready()
    read = await kept.begin_and_lose("a", HELLO)
    for held in (10, 17, 24, 31, 38):
        set_faults(fake.parent, **faults, hold_at_token=held)
        await kept.until_text("a", "".join(tokens[:held]))
    set_faults(fake.parent, **faults)
    assert await kept.until_ended("a") == ("done", True)
    assert text_of(read + kept.kept("a")) == "".join(tokens)
    assert b"Stream offset lost" in kept.whole("a")


async def test_what_had_come_is_kept_of_a_llama_server_that_dies_in_mid_reply(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    set_faults(fake.parent, **HELD, die_at_token={"n": 5})
    kept = of_fake(run, fake)
    await kept.until_ready()
    read = await kept.begin_and_lose("a", HELLO)
    set_faults(fake.parent, hold_at_token=5)
    await kept.until_text("a", "".join(DEFAULT_TOKENS[:5]))
    set_faults(fake.parent)
    assert (await run.until_over())["was_asked_to"] is False
    assert await kept.until_ended("a") == ("lost", False)
    assert text_of(read + kept.kept("a")) == "".join(DEFAULT_TOKENS[:5])


async def test_a_killed_keeper_leaves_what_it_had_kept_and_no_process(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    kept = of_fake(run, fake)
    await kept.until_ready()
    read = await kept.begin_and_lose("a", HELLO)
    await kept.until_caught_up("a")
    assert run.keeper is not None
    run.keeper.kill()
    await until(lambda: is_gone(run.child_pid), "llama-server ends with its keeper")
    assert text_of(read + kept.kept("a")) == "".join(DEFAULT_TOKENS[:3])
    assert kept.end_of("a") == {}


async def test_a_registered_reply_that_llama_server_never_got_keeps_nothing_up(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    kept = of_fake(run, fake)
    await kept.until_ready()
    register(kept, "a")
    lease.release()
    assert (await run.until_over())["was_asked_to"] is True
    assert await kept.until_ended("a") == ("lost", False)
    assert kept.kept("a") == b""


@pytest.mark.parametrize(
    "faults",
    [
        {"no_streams": True},
        {
            "raw_answers": {
                f"/v1/stream{s}": {"pieces": [], "then": "hang"} for s in ("", "s/lookup")
            }
        },
        {"raw_answers": {f"/v1/stream{s}": {"pieces": ["HTTP/1.1 x"]} for s in ("", "s/lookup")}},
    ],
    ids=["without streams", "silent", "nonsense"],
)
async def test_a_stop_needs_no_answer_about_streams(
    run: KeptRun, lease: FileLock, fake: Path, faults: dict[str, Any]
) -> None:
    set_faults(fake.parent, **faults)
    kept = of_fake(run, fake)
    await kept.until_ready()
    register(kept, "a")
    await until(lambda: ".0.body" in kept.files_of("a"), "the keeper tries to keep it")
    (run.folder / run_dir.STOP).touch()
    assert (await run.until_over())["was_asked_to"] is True
    assert await kept.until_ended("a") == ("stopped", False)


async def test_what_is_in_the_archive_whole_is_removed(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    kept = of_fake(run, fake)
    await kept.until_ready()
    await kept.begin_and_lose("a", HELLO)
    await kept.until_caught_up("a")
    os.unlink(kept.path("a", run_dir.STREAM_RECORD))
    await until(lambda: not kept.files_of("a") - {run_dir.STREAM_LOCK}, "the rest is removed")
    assert b"[]" in kept.ask("POST", "/v1/streams/lookup", {"conversation_ids": ["a"]})


async def test_a_full_disk_loses_no_byte_of_a_reply(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    kept = of_fake(run, fake)
    await kept.until_ready()
    keeper_pid = run.state["keeper"]["pid"]
    limit_file_size(keeper_pid, 100)
    read = await kept.begin_and_lose("a", HELLO)
    set_faults(fake.parent)
    await until(lambda: len(kept.kept("a")) == 100, "the disk is full")
    stays(run)
    limit_file_size(keeper_pid, None)
    assert await kept.until_ended("a") == ("done", True)
    assert read + kept.kept("a") == kept.whole("a")


async def test_only_the_owner_may_read_a_kept_reply(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    if sys.platform == "win32":
        pytest.skip("there the access rights of the user's profile count, not modes")
    kept = of_fake(run, fake)
    await kept.until_ready()
    await kept.begin_and_lose("a", HELLO)
    set_faults(fake.parent)
    await kept.until_ended("a")
    files = (run.folder / run_dir.STREAMS).glob("a.*")
    ours = [path for path in files if path.name != f"a{run_dir.STREAM_LOCK}"]
    assert {path.stat().st_mode & 0o777 for path in ours} == {0o600}


def test_a_stream_is_registered_by_its_record_alone(run: KeptRun) -> None:
    assert run_dir.registered_streams(str(run.folder)) == []
    folder = run.folder / run_dir.STREAMS
    folder.mkdir()
    for name in ("a.json", "b.lock", "b.0.body", "b.end.json", "c.json.12.tmp", "a.0.body"):
        (folder / name).touch()
    assert run_dir.registered_streams(str(run.folder)) == ["a"]


def register(kept: StreamingRun, stream_id: str) -> None:
    """Register a stream as a reader does that is killed before it posts."""
    (kept.run.folder / run_dir.STREAMS).mkdir()
    record = {"saved_bytes": 0, "is_told": True}
    run_dir.write_whole(kept.path(stream_id, run_dir.STREAM_RECORD), record)


def stays(run: KeptRun, seconds: float = 1.2) -> None:
    """Fail when the keeper leaves within that time; by default more than two of its looks."""
    assert run.keeper is not None
    with pytest.raises(subprocess.TimeoutExpired):
        run.keeper.wait(seconds)
