"""A home folder that machines and containers share: what runs elsewhere is told and left alone."""

import os
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.keeper import boot, identity, lease_locks, run_dir
from llama_mcp.llama_server.runs import neighbours, places
from llama_mcp.llama_server.runs.creating import KEPT_RUNS, create_run
from llama_mcp.llama_server.runs.places import Place
from llama_mcp.llama_server.runs.plain_run import CURRENT
from llama_mcp.llama_server.runs.run import Run, current_run
from tests.llama_server.runs.launches import launch_of, run_names

OURS = Place(host="a", boot="1", namespaces="pid:[1] net:[1]")
OTHER_HOST = {"host": "elsewhere", "boot": "another"}
OTHER_BOOT = {"boot": "another"}
OTHER_CONTAINER = {"namespaces": "pid:[7] net:[7]"}
needs_place = pytest.mark.skipif(not places.here().boot, reason="the system names no boot")


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    return tmp_path / "home" / "runs"


def run_of(runs_dir: Path, place: dict[str, str], *, is_held: bool = True) -> Run:
    """Return a run that looks launched at another place, with a keeper of this process's pid."""
    run = create_run(runs_dir, launch_of())
    there = places.here().model_copy(update=place)
    launch = run.launch.model_copy(update={"place": there})
    run_dir.write_whole(str(run.folder / run_dir.LAUNCH), launch.model_dump(mode="json"))
    keeper = {"pid": os.getpid(), "start": f"{there.boot}/1"}
    run_dir.write_whole(str(run.folder / run_dir.STATE), {"keeper": keeper, "llama_server": keeper})
    if is_held:
        assert lease_locks.hold(str(run.folder / run_dir.KEEPER_LOCK)) is not None
    return Run(run.folder, launch)


@pytest.mark.parametrize(
    ("there", "is_ours"),
    [
        (OURS, True),
        (Place(host="renamed", boot="1", namespaces="pid:[1] net:[1]"), True),
        (Place(host="a", boot="1", namespaces="pid:[2] net:[1]"), False),
        (Place(host="a", boot="1", namespaces="pid:[1] net:[2]"), False),
        (Place(host="a", boot="2", namespaces="pid:[1] net:[1]"), False),
        (Place(host="b", boot="2", namespaces="pid:[1] net:[1]"), False),
        (Place(host="a", boot="", namespaces="pid:[1] net:[1]"), True),
        (Place(host="b", boot="", namespaces=""), False),
        (Place(boot="1"), True),
        (Place(boot="2"), False),
    ],
)
def test_a_run_whose_lock_is_held_is_of_here_only_when_boot_and_namespaces_say_so(
    tmp_path: Path, there: Place, is_ours: bool
) -> None:
    assert lease_locks.hold(str(tmp_path / run_dir.KEEPER_LOCK)) is not None
    assert places.is_here(there, str(tmp_path), OURS) is is_ours


@needs_place
@pytest.mark.parametrize("place", [OTHER_HOST, OTHER_BOOT, OTHER_CONTAINER])
@pytest.mark.posix
def test_what_runs_elsewhere_is_told_and_never_taken_for_ours(
    runs_dir: Path, place: dict[str, str]
) -> None:
    run = run_of(runs_dir, place)
    assert current_run(runs_dir) is None
    (told,) = neighbours.describe(runs_dir)
    assert f"runs elsewhere (host {run.launch.place.host if run.launch.place else ''}" in told
    holder = neighbours.describe_holder(runs_dir, run.launch.port)
    assert holder is not None and "elsewhere" in holder
    assert neighbours.describe_holder(runs_dir, run.launch.port + 1) is None


@needs_place
def test_ours_counts_though_another_machine_has_launched_since(runs_dir: Path) -> None:
    ours = create_run(runs_dir, launch_of())
    theirs = run_of(runs_dir, OTHER_HOST)
    assert theirs.name in (runs_dir / CURRENT).read_text()
    assert current_run(runs_dir) == ours


@needs_place
@pytest.mark.parametrize("place", [OTHER_BOOT, OTHER_CONTAINER])
def test_what_ran_here_before_a_restart_is_ours_and_has_ended(
    runs_dir: Path, place: dict[str, str]
) -> None:
    run = run_of(runs_dir, place, is_held=False)
    assert current_run(runs_dir) == run
    state = run.state()
    assert state is not None and not state.keeper.is_alive()
    assert neighbours.describe(runs_dir) == []


@needs_place
def test_a_run_of_another_host_whose_lock_is_not_seen_may_still_run(runs_dir: Path) -> None:
    run_of(runs_dir, OTHER_HOST, is_held=False)
    assert current_run(runs_dir) is None
    assert "may still run elsewhere" in neighbours.describe(runs_dir)[0]


@needs_place
def test_a_record_of_an_older_version_has_the_place_that_its_start_times_name(
    runs_dir: Path,
) -> None:
    run = run_of(runs_dir, OTHER_BOOT)
    content: dict[str, Any] = run_dir.read_whole(str(run.folder / run_dir.LAUNCH)) or {}
    del content["place"], content["clock"]
    run_dir.write_whole(str(run.folder / run_dir.LAUNCH), content)
    assert current_run(runs_dir) is None
    assert "host unknown" in neighbours.describe(runs_dir)[0]


@needs_place
def test_runs_of_elsewhere_are_not_cleared_away(runs_dir: Path) -> None:
    theirs = run_of(runs_dir, OTHER_HOST, is_held=False)
    for _ in range(KEPT_RUNS + 2):
        create_run(runs_dir, launch_of())
    assert theirs.name in run_names(runs_dir)


def test_a_system_that_names_no_boot_proves_processes_by_their_start_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = identity.process_start(os.getpid())
    monkeypatch.setattr(boot, "boot_id", lambda: "")
    bare = identity.process_start(os.getpid())
    assert named is not None and bare is not None
    assert identity.is_same_process(os.getpid(), named)
    assert identity.is_same_process(os.getpid(), bare)
    assert not identity.is_same_process(os.getpid(), bare + "0")
