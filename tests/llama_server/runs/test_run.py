"""The record of a run: written once, read by any version, never mistaken for none."""

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llama_mcp.keeper import clock, identity, run_dir
from llama_mcp.llama_server.errors import StateFolderError
from llama_mcp.llama_server.runs import places
from llama_mcp.llama_server.runs.creating import (
    KEPT_RUNS,
    KEPT_WITH_REPLIES,
    KEPT_WITH_REPLIES_SECONDS,
    create_run,
)
from llama_mcp.llama_server.runs.plain_run import CURRENT
from llama_mcp.llama_server.runs.records import (
    LAUNCH_FORMAT,
    Launch,
    ProcessRecord,
    seconds_since,
)
from llama_mcp.llama_server.runs.run import Run, UnreadableRun, current_run
from tests.llama_server.runs.launches import launch_of, run_names
from tests.support.processes import PATIENCE_SECONDS


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    return tmp_path / "home" / "runs"


def rewrite(run: Run, change: Callable[[dict[str, object]], object]) -> None:
    path = run.folder / run_dir.LAUNCH
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def readable(runs_dir: Path) -> Launch:
    run = current_run(runs_dir)
    assert isinstance(run, Run)
    return run.launch


def problem(runs_dir: Path) -> str:
    run = current_run(runs_dir)
    assert isinstance(run, UnreadableRun)
    return run.problem


def test_where_nothing_ever_ran_there_is_no_run(runs_dir: Path) -> None:
    assert current_run(runs_dir) is None


def test_the_last_run_that_was_created_counts_and_reads_as_it_was_written(runs_dir: Path) -> None:
    create_run(runs_dir, launch_of(restarts=[1.0], first_failure="it fell"))
    launch = launch_of(notes=["a note"])
    run = create_run(runs_dir, launch)
    assert current_run(runs_dir) == run
    stamp = {"format": LAUNCH_FORMAT, "place": places.here(), "clock": run.launch.clock}
    assert run.launch == launch.model_copy(update=stamp)


@pytest.mark.posix
def test_a_run_is_for_its_owner_only(runs_dir: Path) -> None:
    run = create_run(runs_dir, launch_of())
    for folder in (runs_dir, run.folder, run.leases_dir):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert (run.folder / run_dir.LAUNCH).stat().st_mode & 0o777 == 0o600


def test_a_record_without_a_format_is_of_the_first_one(runs_dir: Path) -> None:
    rewrite(create_run(runs_dir, launch_of()), lambda content: content.pop("format"))
    assert readable(runs_dir).format == 1


def test_paths_and_port_that_a_config_lacks_are_those_that_were_launched(runs_dir: Path) -> None:
    run = create_run(runs_dir, launch_of())
    rewrite(run, lambda content: content.update(config={}))
    config = readable(runs_dir).config
    assert config.model_path == "/models/small.gguf" and config.llama_cpp_path == "/llama.cpp"
    assert config.port == run.launch.port


def test_a_window_that_a_config_lacks_is_the_one_that_was_launched(runs_dir: Path) -> None:
    run = create_run(runs_dir, launch_of())
    argv = [*run.launch.argv, "-c", "3072", "-np", "3"]
    rewrite(run, lambda content: content.update(config={}, argv=argv))
    config = readable(runs_dir).config
    assert (config.ctx_size, config.parallel) == (1024, 3)


def test_a_record_of_a_newer_format_says_who_wrote_it(runs_dir: Path) -> None:
    run = create_run(runs_dir, launch_of())
    rewrite(run, lambda content: content.update(format=LAUNCH_FORMAT + 1))
    assert "newer llama-mcp" in problem(runs_dir)


def test_a_record_that_is_missing_or_no_file_is_unreadable_and_not_absent(runs_dir: Path) -> None:
    path = create_run(runs_dir, launch_of()).folder / run_dir.LAUNCH
    path.unlink()
    assert "no such file" in problem(runs_dir)
    path.mkdir()
    assert "directory" in problem(runs_dir) or "denied" in problem(runs_dir)  # Windows


def test_what_is_wrong_with_a_record_is_told_without_the_key_in_it(runs_dir: Path) -> None:
    run = create_run(runs_dir, launch_of())
    rewrite(run, lambda content: content.update(environment={"LLAMA_API_KEY": ["the-key"]}))
    assert "environment.LLAMA_API_KEY" in problem(runs_dir)
    assert "the-key" not in problem(runs_dir)


def test_without_a_pointer_the_run_that_changed_last_counts(runs_dir: Path) -> None:
    older, newer = create_run(runs_dir, launch_of()), create_run(runs_dir, launch_of())
    os.utime(older.folder, (2e9, 2e9))
    assert current_run(runs_dir) == newer
    (runs_dir / CURRENT).write_text("{")
    assert current_run(runs_dir) == older


def test_ended_runs_are_cleared_away_but_never_one_whose_process_lives(runs_dir: Path) -> None:
    living = create_run(runs_dir, launch_of())
    myself = {"pid": os.getpid(), "start": identity.process_start(os.getpid())}
    run_dir.write_whole(str(living.folder / run_dir.STATE), {"keeper": myself})
    created = [create_run(runs_dir, launch_of()).name for _ in range(KEPT_RUNS + 2)]
    left = run_names(runs_dir)
    assert living.name in left and created[-1] in left
    assert len(left) <= KEPT_RUNS + 1


def test_an_ended_run_with_a_reply_that_is_not_in_the_archive_is_kept_for_a_month(
    runs_dir: Path,
) -> None:
    month_ago = time.time() - KEPT_WITH_REPLIES_SECONDS
    young, old, emptied = (create_run(runs_dir, launch_of()) for _ in range(3))
    for run, at in ((young, month_ago + 3600), (old, month_ago - 1), (emptied, month_ago + 3600)):
        register_reply(run)
        if run is emptied:
            (run.folder / run_dir.STREAMS / "a.json").unlink()
        os.utime(run.folder, (at, at))
    for _ in range(KEPT_RUNS):
        create_run(runs_dir, launch_of())
    assert run_names(runs_dir) & {young.name, old.name, emptied.name} == {young.name}


def test_a_hundred_ended_runs_with_replies_are_kept(runs_dir: Path) -> None:
    for age in range(KEPT_WITH_REPLIES + KEPT_RUNS + 2, 0, -1):
        run = create_run(runs_dir, launch_of())
        register_reply(run)
        os.utime(run.folder, (time.time() - age, time.time() - age))
    create_run(runs_dir, launch_of())
    assert len(run_names(runs_dir)) == KEPT_WITH_REPLIES + 1


def register_reply(run: Run) -> None:
    """Leave what a llama-mcp leaves that was killed while it read a reply."""
    (run.folder / run_dir.STREAMS).mkdir()
    (run.folder / run_dir.STREAMS / "a.json").write_text("{}")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file in its place")
    with pytest.raises(StateFolderError, match="runs"):
        create_run(tmp_path / "runs", launch_of())


@pytest.mark.parametrize("days", [-400, 400])
def test_ages_are_the_same_however_the_wall_clock_is_set(runs_dir: Path, days: int) -> None:
    # What was launched a moment ago, by a wall clock that has been set since.
    launch = create_run(runs_dir, launch_of(at=time.time() + days * 86_400)).launch
    assert 0 <= launch.age_seconds < PATIENCE_SECONDS
    record = ProcessRecord(pid=1, start="x", at=launch.at, clock=launch.clock)
    assert 0 <= seconds_since(record.clock, launch.at) < PATIENCE_SECONDS


def test_a_record_of_an_older_version_has_no_negative_age() -> None:
    launch = launch_of(at=time.time() + 86_400)
    assert launch.clock is None and launch.age_seconds == 0


def test_a_clock_that_has_begun_anew_leaves_the_age_to_the_wall_clock() -> None:
    ahead = clock.seconds() + 86_400
    assert seconds_since(ahead, time.time() - 3600) >= 3600


def test_what_was_launched_before_the_machine_was_switched_on_is_not_young(
    runs_dir: Path,
) -> None:
    place = places.here().model_copy(update={"boot": "an-earlier-one"})
    launch = create_run(runs_dir, launch_of()).launch.model_copy(update={"place": place})
    assert (launch.age_seconds == math.inf) == bool(places.here().boot)
