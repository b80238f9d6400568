"""A llama-server that has no turn for long, ended by its keeper although somebody holds a lease."""

import http.client
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from llama_mcp.keeper import run_dir
from llama_mcp.keeper.idleness import Idleness
from llama_mcp.llama_server.engine.locate import locate_engine
from llama_mcp.llama_server.runs.run import RunFolder
from tests.fake_llama_server.install import install_fake, set_faults
from tests.fake_llama_server.running import ready
from tests.keeper.kept_run import KeptRun
from tests.keeper.kept_stream import StreamingRun
from tests.keeper.stream_reader_program import HEADERS
from tests.keeper.test_streams import FINISH_SECONDS, HELD, HELLO, of_fake, stays
from tests.support.processes import PATIENCE_SECONDS, is_gone, limit_file_size, until
from tests.support.quick import often

# Soon over, and longer than the keeper takes from one look to the next.
IDLE_SECONDS = 0.7
# Several times as long, and several looks of the keeper.
LONG_SECONDS = 3.0


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    return install_fake(tmp_path / "fake")


def idle(run: KeptRun, fake: Path, **launch: Any) -> StreamingRun:
    return of_fake(run, fake, **{"idle_seconds": IDLE_SECONDS, **launch})


def touch(run: KeptRun) -> None:
    """Note a use, as llama-mcp does."""
    RunFolder(run.folder).note_use()


def announced(run: KeptRun) -> dict[str, Any] | None:
    return run_dir.read_whole(str(run.folder / run_dir.UNUSED))


async def until_unloaded(run: KeptRun) -> None:
    """Wait until the keeper has left; fail unless it has unloaded a model that was idle."""
    ending = await run.until_over()
    assert (ending["was_asked_to"], ending["reason"]) == (True, "idle")
    assert announced(run) == {"reason": "idle"}
    assert is_gone(run.child_pid)


async def test_a_model_without_a_turn_is_unloaded_although_a_lease_is_held(
    run: KeptRun, lease: FileLock, engine: str, tiny_model: Path
) -> None:
    command = [*locate_engine(engine, "").command, "-m", str(tiny_model), "-t", "1", "-np", "1"]
    kept = StreamingRun(run, [*command, "-c", "512"], idle_seconds=IDLE_SECONDS)
    await kept.until_ready()
    await until_unloaded(run)


async def test_by_default_a_model_stays_and_what_ends_it_otherwise_has_no_reason(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    kept = idle(run, fake, idle_seconds=0)
    await kept.until_ready()
    stays(run, LONG_SECONDS)
    assert announced(run) is None
    lease.release()
    ending = await run.until_over()
    assert (ending["was_asked_to"], ending["reason"]) == (True, None)


async def test_use_that_is_noted_again_and_again_keeps_it(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    kept = idle(run, fake, idle_seconds=3.0)
    await kept.until_ready()
    for _ in range(60):
        touch(run)
        stays(run, 0.1)
    await until_unloaded(run)


async def test_a_reply_under_way_is_never_cut_whoever_reads_it(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    set_faults(fake.parent, **HELD)
    kept = idle(run, fake, finish_seconds=FINISH_SECONDS)
    await kept.until_ready()
    with read_without_llama_mcp(kept) as answer:
        stays(run, LONG_SECONDS)
        assert announced(run) is None  # not even for a moment in which a chat would wait
        set_faults(fake.parent)
        assert b"[DONE]" in answer()
    await until_unloaded(run)


async def test_a_reply_whose_reader_is_gone_keeps_it_until_it_is_whole(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    set_faults(fake.parent, **HELD)
    kept = idle(run, fake, finish_seconds=FINISH_SECONDS)
    await kept.until_ready()
    await kept.begin_and_lose("a", HELLO)
    await kept.until_caught_up("a")
    stays(run, LONG_SECONDS)
    set_faults(fake.parent)
    assert await kept.until_ended("a") == ("done", True)
    await until_unloaded(run)


async def test_a_model_that_has_got_ready_has_all_its_time(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    set_faults(fake.parent, load_held=True)
    kept = idle(run, fake)
    await run.until_up()
    stays(run, LONG_SECONDS)
    set_faults(fake.parent)
    await kept.until_ready()
    (run.folder / run_dir.OUTCOME).write_text("{}")
    await until_unloaded(run)


@pytest.mark.parametrize(
    "faults",
    [
        {"healthy_but_dead": True},
        {"raw_answers": {"/props": {"pieces": [], "then": "hang"}}},
        {"raw_answers": {"/slots": {"pieces": ["HTTP/1.1 x"]}}, "no_metrics": True},
        {"answers": {"/slots": {"code": 200, "body": "no JSON"}}, "no_metrics": True},
        {"no_slots": True, "no_metrics": True},
    ],
    ids=["dead", "silent", "nonsense", "no JSON", "no figures"],
)
async def test_what_does_not_say_whether_anything_runs_is_left_alone_and_can_be_stopped(
    run: KeptRun, lease: FileLock, fake: Path, faults: dict[str, Any]
) -> None:
    set_faults(fake.parent, **faults)
    kept = idle(run, fake)
    await kept.until_ready()
    stays(run, LONG_SECONDS)
    assert announced(run) is None
    (run.folder / run_dir.STOP).touch()
    assert (await run.until_over())["reason"] is None


async def test_one_that_was_found_silent_is_not_asked_and_stays(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    kept = idle(run, fake)
    (run.folder / run_dir.UNRESPONSIVE).touch()
    await kept.until_ready()
    stays(run, LONG_SECONDS)
    assert announced(run) is None
    (run.folder / run_dir.STOP).touch()
    await run.until_over()


async def test_a_model_that_sleeps_is_unloaded_without_a_question_that_would_wake_it(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    hang = {"pieces": [], "then": "hang"}
    unasked = {"/slots": hang, "/metrics": hang}
    set_faults(fake.parent, props={"is_sleeping": True}, raw_answers=unasked)
    kept = idle(run, fake)
    await kept.until_ready()
    await until_unloaded(run)


@pytest.mark.parametrize("is_busy", [True, False])
def test_without_slots_the_figures_say_whether_anything_runs(
    run: KeptRun, fake: Path, is_busy: bool
) -> None:
    figures = f"llamacpp:requests_processing {int(is_busy)}\n"
    set_faults(fake.parent, no_slots=True, metrics_text=figures)
    with ready(fake, "--metrics") as server:
        launch = {"idle_seconds": 0.001, "port": server.port}
        asked = Idleness(str(run.folder), launch, print)
        time.sleep(launch["idle_seconds"])
        assert asked.is_over() is not is_busy
    assert (announced(run) is None) == is_busy


async def test_a_full_disk_on_which_no_end_can_be_announced_keeps_it(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    kept = idle(run, fake)
    await kept.until_ready()
    keeper_pid = run.state["keeper"]["pid"]
    limit_file_size(keeper_pid, 1)
    stays(run, LONG_SECONDS)
    assert announced(run) is None
    limit_file_size(keeper_pid, None)
    await until_unloaded(run)


async def test_a_keeper_that_is_killed_as_it_unloads_leaves_no_process(
    run: KeptRun, lease: FileLock, fake: Path
) -> None:
    set_faults(fake.parent, ignore_sigterm=True)
    kept = idle(run, fake)
    await kept.until_ready()
    pid = run.child_pid
    await until(lambda: announced(run) is not None, "the end is announced")
    assert run.keeper is not None
    run.keeper.kill()
    await until(lambda: is_gone(pid), "llama-server ends with its keeper")
    assert run.state["exit"] is None


def test_a_turn_that_comes_while_llama_server_is_asked_keeps_it(run: KeptRun) -> None:
    with idle_server(lambda: touch(run)) as port:
        asked = Idleness(str(run.folder), {"idle_seconds": 0.001, "port": port}, print)
        time.sleep(0.001)
        assert not asked.is_over()
    assert announced(run) is None


def test_of_a_turn_that_comes_and_an_end_one_always_sees_the_other(run: KeptRun) -> None:
    ends = 0
    with idle_server(lambda: None) as port:
        for number in range(often(300, in_a_soak=5000)):
            launch = {"idle_seconds": 0.001, "port": port}
            asked = Idleness(str(run.folder), launch, lambda _line: None)
            time.sleep(0.001)
            saw_end: list[bool] = []

            def come(seconds: float = number % 10 / 5000, saw: list[bool] = saw_end) -> None:
                time.sleep(seconds)
                touch(run)
                saw.append(announced(run) is not None)

            newcomer = threading.Thread(target=come)
            newcomer.start()
            is_over = asked.is_over()
            newcomer.join()
            assert not is_over or saw_end == [True]
            ends += is_over
            (run.folder / run_dir.UNUSED).unlink(missing_ok=True)
    assert ends


@contextmanager
def idle_server(on_slots: Callable[[], None]) -> Iterator[int]:
    """Run what answers as a llama-server with one slot that is free; give its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/slots":
                on_slots()
            body = b'[{"is_processing": false}]' if self.path == "/slots" else b"{}"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def read_without_llama_mcp(kept: StreamingRun) -> Iterator[Callable[[], bytes]]:
    """Ask for a reply that nobody has registered; give what returns all of it."""
    connection = http.client.HTTPConnection("127.0.0.1", kept.port, timeout=PATIENCE_SECONDS)
    with closing(connection):
        connection.request("POST", "/v1/chat/completions", json.dumps(HELLO), HEADERS)
        response = connection.getresponse()
        yield response.read
