from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.llama_server.log import (
    LONGEST_LINE,
    clean_line,
    last_line,
    level_of,
    read_log_tail,
    without_prefix,
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "llama-server.log"


def test_the_last_lines_come_oldest_first(log: Path) -> None:
    log.write_text("one\ntwo\nthree\n")

    assert read_log_tail(log, 2) == ["two", "three"]


def test_a_log_shorter_than_asked_for_is_given_whole(log: Path) -> None:
    log.write_text("one\ntwo")

    assert read_log_tail(log, 100) == ["one", "two"]


@pytest.mark.parametrize("lines", [0, -1])
def test_no_lines_asked_for_are_no_lines(log: Path, lines: int) -> None:
    log.write_text("one\n")

    assert read_log_tail(log, lines) == []


def test_a_missing_or_empty_log_has_no_lines(log: Path) -> None:
    assert read_log_tail(log, 10) == []
    assert last_line(log) == ""

    log.touch()

    assert read_log_tail(log, 10) == []
    assert last_line(log) == ""


def test_a_line_that_begins_before_the_bytes_read_is_left_out(log: Path) -> None:
    log.write_text("the first line\nthe second\nthe third\n")

    assert read_log_tail(log, 10, max_bytes=20) == ["the third"]


def test_the_end_of_a_single_endless_line_is_given(log: Path) -> None:
    log.write_text("x" * 10_000)

    assert read_log_tail(log, 10, max_bytes=100) == ["x" * 100]


def test_only_the_end_of_a_large_log_is_read(log: Path) -> None:
    with log.open("wb") as file:
        file.truncate(2**40)  # a sparse terabyte: reading it all would never end
        file.seek(0, 2)
        file.write(b"\nthe end\n")

    assert read_log_tail(log, 1) == ["the end"]


def test_bytes_that_are_not_text_become_replacement_characters(log: Path) -> None:
    log.write_bytes(b"caf\xc3\xa9 \xff\xed\xa0\x80 end\n")

    (line,) = read_log_tail(log, 1)

    assert line.startswith("café �")
    assert line.encode()


def test_lines_end_where_a_terminal_ends_them(log: Path) -> None:
    log.write_bytes("one\r\n 10%\r 20%\r\nsame\u2028line\x0b\x85\n".encode())

    assert read_log_tail(log, 10) == ["one", " 10%", " 20%", "same\u2028line"]


def test_a_very_long_line_is_cut_with_an_ellipsis(log: Path) -> None:
    log.write_text("y" * 5000 + "\n")

    (line,) = read_log_tail(log, 1)

    assert len(line) == LONGEST_LINE
    assert line.endswith("y…")


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;5;214mtemplate\x1b[K", "template"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(Bplain\x1b7", "plain"),
        ("\x1b]unfinished title, then an error", "unfinished title, then an error"),
        ("bell\x07 null\x00 delete\x7f", "bell null delete"),
        ("tab\tstays", "tab\tstays"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
    ],
)
def test_what_is_not_text_is_taken_out_of_a_line(raw: str, clean: str) -> None:
    assert clean_line(raw) == clean


@given(st.text(st.characters(exclude_categories=())))
def test_a_clean_line_is_valid_unicode_on_one_line(text: str) -> None:
    clean = clean_line(text)

    assert clean.encode()[:0] == b""
    assert not {"\x1b", "\n", "\r", "\x00"} & set(clean)


@given(st.binary(max_size=300), st.integers(1, 50), st.integers(1, 200))
def test_any_bytes_at_all_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, lines: int, max_bytes: int
) -> None:
    log = tmp_path_factory.getbasetemp() / "any.log"
    log.write_bytes(content)

    tail = read_log_tail(log, lines, max_bytes=max_bytes)

    assert len(tail) <= lines
    assert "".join(tail).encode()[:0] == b""


def test_the_last_line_is_the_last_that_says_something(log: Path) -> None:
    log.write_text("loading\n.......\n\n  \n")

    assert last_line(log) == "......."


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("0.00.030.791 E gguf_init_from_file: failed to open", "E"),
        ("12.34.567.890 W srv  llama_server: security", "W"),
        ("0.00.001.406 I srv  llama_server: initializing ...", "I"),
        ("0.00.001.406 D srv  update_slots: run", "D"),
        ("error: invalid argument: --x", None),
        ("main: server is listening", None),
        ("", None),
    ],
)
def test_the_level_is_read_from_the_prefix(line: str, level: str | None) -> None:
    assert level_of(line) == level


def test_a_line_without_its_prefix_is_what_was_said() -> None:
    assert without_prefix("0.00.030.791 E gguf_init: failed") == "gguf_init: failed"
    assert without_prefix("gguf_init: failed") == "gguf_init: failed"
