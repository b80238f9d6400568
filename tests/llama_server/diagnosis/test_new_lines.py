"""A log that is read on while it grows, is cut, and is deleted."""

from pathlib import Path

from llama_mcp.llama_server.diagnosis.new_lines import NewLines


def test_lines_are_given_once_and_only_when_they_are_whole(tmp_path: Path) -> None:
    log = tmp_path / "llama-server.log"
    log.write_text("before\n", encoding="utf-8")
    new = NewLines(log, log.stat().st_size)
    with log.open("a", encoding="utf-8") as file:
        file.write("one\ntw")
        file.flush()
        assert new.read(None) == ["one"]
        file.write("o\x1b[31m\n")
        file.flush()
        assert new.read(None) == ["two"]
    assert new.read(None) == []


def test_a_log_that_the_keeper_has_cut_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "llama-server.log"
    log.write_text("a long line of before\n", encoding="utf-8")
    new = NewLines(log, log.stat().st_size)
    log.write_text("after\n", encoding="utf-8")
    assert new.read(None) == ["after"]


def test_only_lines_of_a_level_are_given(tmp_path: Path) -> None:
    log = tmp_path / "llama-server.log"
    new = NewLines(log, 0)
    log.write_text("0.00.000.001 I fine\n0.00.000.002 E broken\n", encoding="utf-8")
    assert new.read("error") == ["0.00.000.002 E broken"]


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert NewLines(tmp_path / "none.log", 0).read(None) == []
