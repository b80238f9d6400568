from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.llama_server.diagnosis.log import (
    LONGEST_LINE,
    MAX_SHOWN_BYTES,
    clean_line,
    last_line,
    level_of,
    read_log,
    read_log_tail,
    without_prefix,
)
from llama_mcp.llama_server.status import MAX_LOG_LINES, Level, ServerLog


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

    assert read_log_tail(log, 10) == ["one", " 10%", " 20%", r"same\u2028line"]


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
        ("bell\x07 null\x00 delete\x7f", r"bell\x07 null\x00 delete\x7f"),
        ("turned \u202eround\u2066 and \u2029 cut", r"turned \u202eround\u2066 and \u2029 cut"),
        ("tab\tstays", "tab\tstays"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
    ],
)
def test_terminal_codes_are_taken_out_and_other_controls_shown(raw: str, clean: str) -> None:
    assert clean_line(raw) == clean


@given(st.text(st.characters(exclude_categories=())))
def test_a_clean_line_is_valid_unicode_on_one_line(text: str) -> None:
    clean = clean_line(text)

    assert clean.encode()[:0] == b""
    assert not {"\x1b", "\n", "\r", "\x00", "\x9b", "\u202e", "\u2028"} & set(clean)


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


def test_the_end_of_a_log_is_shown_with_its_path_and_whether_there_is_more(log: Path) -> None:
    log.write_text("one\n\x1b[31mtwo\x1b[0m\nthree\n")
    assert read_log(log, 2) == ServerLog(lines=["two", "three"], log_path=str(log), truncated=True)
    assert read_log(log, 3) == ServerLog(lines=["one", "two", "three"], log_path=str(log))


def test_a_missing_log_is_shown_as_no_lines(log: Path) -> None:
    missing = read_log(log, 10)
    assert (missing.lines, missing.log_path, missing.truncated) == ([], str(log), False)
    assert missing.note is not None and "There is no file" in missing.note


def test_a_log_without_lines_says_why(log: Path) -> None:
    log.write_bytes(b"")
    assert "is empty" in (read_log(log, 10).note or "")
    log.write_text("0.00.000.001 I srv init: loaded\n")
    assert "no line of level error;" in (read_log(log, 10, "error").note or "")
    assert "no line of level warning or worse;" in (read_log(log, 10, "warning").note or "")
    assert read_log(log, 10).note is None


MIXED = """\
the loader says something
0.00.000.001 D srv  a: debug
its second line
0.00.000.002 I srv  b: info, 0 errors
its second line
0.00.000.003 W srv  c: warning
its second line
0.00.000.004 I srv  d: info
warning: no usable GPU found
ggml_aligned_malloc: insufficient memory, allocation failed
0.00.000.005 E srv  e: error
its second line
0.00.000.006 I srv  f: info
terminate called after throwing an instance of 'std::runtime_error'
"""
ERRORS = [9, 10, 11, 13]
WARNINGS = [5, 6, 8]
INFOS = [0, 3, 4, 7, 12]
DEBUGS = [1, 2]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("error", ERRORS),
        ("warning", ERRORS + WARNINGS),
        ("info", ERRORS + WARNINGS + INFOS),
        ("debug", ERRORS + WARNINGS + INFOS + DEBUGS),
        (None, range(14)),
    ],
)
def test_a_level_shows_its_lines_and_worse_ones_with_what_belongs_to_them(
    log: Path, level: Level | None, expected: list[int]
) -> None:
    log.write_text(MIXED)
    shown = read_log(log, 100, level)
    assert shown.lines == [MIXED.splitlines()[number] for number in sorted(expected)]
    assert not shown.truncated


def test_the_newest_lines_of_a_level_are_shown(log: Path) -> None:
    log.write_text(MIXED)
    shown = read_log(log, 1, "error")
    assert shown.lines == MIXED.splitlines()[-1:]
    assert shown.truncated


def test_a_prefix_in_colour_is_read_too(log: Path) -> None:
    log.write_text(
        "\x1b[34m0.00.000.001 \x1b[31mE srv  a: bad\x1b[0m\n0.00.000.002 I srv  b: fine\n"
    )
    assert read_log(log, 10, "error").lines == ["0.00.000.001 E srv  a: bad"]


def test_a_log_that_was_just_begun_anew_is_shown_with_the_end_of_the_one_before(log: Path) -> None:
    log.with_name(f"{log.name}.1").write_text("one\ntwo\n")
    log.write_text("three\n")
    assert read_log(log, 2).lines == ["two", "three"]
    assert not read_log(log, 3).truncated


@pytest.mark.parametrize("level", [None, "info"])
def test_what_is_shown_stays_small_whatever_is_asked_for(log: Path, level: Level | None) -> None:
    with log.open("wb") as file:
        file.truncate(2**40)  # a sparse terabyte: reading it all would never end
        file.seek(0, 2)
        file.write("\nümlaut".encode() * 100_000)
    shown = read_log(log, 10**6, level)
    assert shown.truncated
    assert len(shown.lines) == MAX_LOG_LINES
    log.write_bytes(("ü" * 1000 + "\n").encode() * 1000)
    shown = read_log(log, 10**6, level)
    assert shown.truncated
    size = len("\n".join(shown.lines).encode())
    assert MAX_SHOWN_BYTES - 2001 <= size <= MAX_SHOWN_BYTES


@given(st.binary(max_size=300), st.integers(1, 50), st.sampled_from(["error", "info", None]))
def test_any_bytes_at_all_can_be_shown(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, lines: int, level: Level | None
) -> None:
    log = tmp_path_factory.getbasetemp() / "any-shown.log"
    log.write_bytes(content)
    shown = read_log(log, lines, level)
    assert len(shown.lines) <= lines
    assert "".join(shown.lines).encode()[:0] == b""
