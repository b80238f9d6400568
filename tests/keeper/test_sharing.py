"""Files that several processes use at once, and what Windows refuses for a moment."""

import threading
from pathlib import Path

import pytest

from llama_mcp.keeper import run_dir, sharing


def test_a_record_is_whole_for_every_reader_while_it_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "state.json")
    run_dir.write_whole(path, {"number": 0, "text": ""})
    is_over = threading.Event()
    problems: list[object] = []

    def read() -> None:
        while not is_over.is_set():
            try:
                content = run_dir.read_whole(path)
            except OSError as error:
                problems.append(error)
                return
            if content is None or content["text"] != "x" * content["number"]:
                problems.append(content)
            is_over.wait(0.005)  # as llama-mcp looks at a record that it waits for

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(200):
        run_dir.write_whole(path, {"number": number, "text": "x" * number})
    is_over.set()
    for reader in readers:
        reader.join()
    assert problems == []
    assert [entry.name for entry in tmp_path.glob("state*")] == ["state.json"]


class Refusal:
    """Refuses some times what is done to a file."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> str:
        self.left -= 1
        if self.left >= 0:
            raise PermissionError(13, "Access is denied")
        return "done"


def test_what_is_refused_for_a_moment_is_done_in_the_end() -> None:
    assert sharing.insist(Refusal(3), is_refusing=True) == "done"


def test_a_right_that_is_missing_is_told_after_a_while() -> None:
    with pytest.raises(PermissionError):
        sharing.insist(Refusal(1_000_000), is_refusing=True)


def test_a_system_that_refuses_nothing_for_a_moment_is_asked_once() -> None:
    refusal = Refusal(1)
    with pytest.raises(PermissionError):
        sharing.insist(refusal, is_refusing=False)
    assert refusal.left == 0
