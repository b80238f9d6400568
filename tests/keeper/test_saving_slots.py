"""Which slots are saved, and when none is: before a keeper asks llama-server for anything."""

import math
import os
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.keeper import prompt_caches, run_dir, saving_slots
from llama_mcp.keeper.saving_slots import worth_saving


def slot(number: int, tokens: int | None, task: int | None, *, busy: bool = False) -> Any:
    told = {"id": number, "is_processing": busy, "n_prompt_tokens": tokens, "id_task": task}
    return {name: value for name, value in told.items() if value is not None}


SLOTS = [
    slot(0, 700, 5),
    slot(1, 511, 6),
    slot(2, 900, 9, busy=True),
    slot(3, None, None),
    slot(4, 600, 8),
]


def test_idle_slots_that_are_worth_it_are_saved_the_latest_first() -> None:
    assert worth_saving(SLOTS, 512, None) == [(4, 600), (0, 700)]


def test_nothing_is_saved_that_no_later_request_has_used_since_a_session_was_deleted() -> None:
    assert worth_saving(SLOTS, 512, 5) == [(4, 600)]
    assert worth_saving(SLOTS, 512, math.inf) == []


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        "slots",
        [None, 1, [], {}],
        [{"id": 0, "is_processing": 0, "n_prompt_tokens": 900}],
        [{"id": -1, "is_processing": False, "n_prompt_tokens": 900}],
        [{"id": True, "is_processing": False, "n_prompt_tokens": "900"}],
    ],
)
def test_answers_of_other_builds_save_nothing(answer: object) -> None:
    assert worth_saving(answer, 512, None) == []


def test_what_is_forgotten_is_read_from_the_run_folder(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert saving_slots.forgotten_tasks(folder) is None
    for content, last in (
        ({"last_task": 7}, 7),
        ({"last_task": None}, math.inf),
        ({}, math.inf),
    ):
        run_dir.write_whole(str(tmp_path / run_dir.FORGOTTEN), content)
        assert saving_slots.forgotten_tasks(folder) == last
    (tmp_path / run_dir.FORGOTTEN).write_text("{")
    assert saving_slots.forgotten_tasks(folder) == math.inf


def test_files_are_unchanged_as_long_as_size_and_time_are(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"weights")
    found = file.stat()
    stamp = {"path": str(file), "size": found.st_size, "mtime_ns": found.st_mtime_ns}
    assert saving_slots.are_unchanged([stamp]) and saving_slots.are_unchanged([])
    assert not saving_slots.are_unchanged([stamp | {"size": 1}])
    assert not saving_slots.are_unchanged([{"path": str(file)}])
    os.utime(file, ns=(1, 1))
    assert not saving_slots.are_unchanged([stamp])
    file.unlink()
    assert not saving_slots.are_unchanged([stamp])


def test_who_wants_the_end_at_once_waits_for_no_save(tmp_path: Path) -> None:
    folder, stop = str(tmp_path), tmp_path / run_dir.STOP
    assert not prompt_caches.is_wanted_at_once(folder, is_signalled=False)
    assert prompt_caches.is_wanted_at_once(folder, is_signalled=True)
    # llama-mcp asks by the file, and wakes the keeper by a signal.
    stop.touch()
    assert not prompt_caches.is_wanted_at_once(folder, is_signalled=True)
    stop.write_text(run_dir.AT_ONCE)
    assert prompt_caches.is_wanted_at_once(folder, is_signalled=False)


def test_a_launch_that_says_nonsense_ends_no_stop(tmp_path: Path) -> None:
    said: list[str] = []
    for nonsense in ({"folder": 1}, {"limit_seconds": "soon"}, [1]):
        caches = prompt_caches.PromptCaches(str(tmp_path), {"saved_kv": nonsense}, said.append)
        caches.save(lambda: False)
        caches.conclude()
    assert len(said) == 3
