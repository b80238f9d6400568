"""Files that change, are huge, or are no text after all."""

import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest

from llama_mcp.files.border import FileBorder
from llama_mcp.files.errors import BinaryFileError, FileRefusedError, UnreadableFileError
from llama_mcp.files.finding import find
from llama_mcp.files.named import FileText, NamedFile
from llama_mcp.files.reading import open_text, read_text
from tests.support.ordinary_user import an_ordinary_user

MEBIBYTE = 2**20


def named(border: FileBorder, asked: str) -> NamedFile:
    return find([asked], border).files[0]


def whole(border: FileBorder, file: NamedFile) -> FileText:
    text = read_text(file, border, 10 * MEBIBYTE)
    assert isinstance(text, FileText)
    return text


def test_what_is_appended_while_it_is_read_is_not_read_and_said(
    opened: Path, border: FileBorder
) -> None:
    log = opened / "a.log"
    log.write_text("line\n" * 200_000, encoding="utf-8")
    with open_text(named(border, "a.log"), border) as stream:
        blocks = []
        for block in stream:
            blocks.append(block[1])
            with log.open("a", encoding="utf-8") as more:
                more.write("later\n" * 1000)
    assert "".join(blocks) == "line\n" * 200_000
    assert stream.notes == ("It changed while it was read; 1,000,000 bytes were read.",)


def test_what_shrinks_while_it_is_read_is_said(opened: Path, border: FileBorder) -> None:
    (opened / "a.log").write_text("line\n" * 200_000, encoding="utf-8")
    with open_text(named(border, "a.log"), border) as stream:
        blocks = []
        for _, text in stream:
            blocks.append(text)
            os.truncate(opened / "a.log", 10)
    assert 0 < len("".join(blocks)) < 1_000_000
    assert "It changed while it was read" in stream.notes[0]


def test_what_is_replaced_while_it_is_read_is_read_as_it_was(
    opened: Path, border: FileBorder
) -> None:
    (opened / "a").write_text("old\n" * 200_000, encoding="utf-8")
    with open_text(named(border, "a"), border) as stream:
        texts = []
        for _, text in stream:
            texts.append(text)
            (opened / "new").write_text("new\n" * 9, encoding="utf-8")
            os.replace(opened / "new", opened / "a")
    assert set("".join(texts).splitlines()) == {"old"}
    assert stream.sha256 == hashlib.sha256(b"old\n" * 200_000).hexdigest()


@pytest.mark.parametrize("change", ["vanishes", "becomes a link", "becomes a folder", "a FIFO"])
@pytest.mark.posix
def test_what_changes_between_finding_and_reading_is_refused(
    opened: Path, closed: Path, border: FileBorder, change: str
) -> None:
    path = opened / "a"
    path.write_text("text", encoding="utf-8")
    file = named(border, "a")
    path.unlink()
    if change == "becomes a link":
        path.symlink_to(closed / "private.txt")
    elif change == "becomes a folder":
        path.mkdir()
    elif change == "a FIFO":
        os.mkfifo(path)
    with pytest.raises(FileRefusedError):
        whole(border, file)


def test_what_becomes_binary_between_finding_and_reading_is_refused(
    opened: Path, border: FileBorder
) -> None:
    (opened / "a").write_text("text", encoding="utf-8")
    file = named(border, "a")
    (opened / "a").write_bytes(bytes(range(256)))
    with pytest.raises(BinaryFileError):
        whole(border, file)


def test_an_empty_file_is_an_empty_text(opened: Path, border: FileBorder) -> None:
    (opened / "a").touch()
    text = whole(border, named(border, "a"))
    assert (text.text, text.size_bytes) == ("", 0)


def test_a_file_that_may_not_be_read_is_told(opened: Path, border: FileBorder) -> None:
    (opened / "a").write_text("text", encoding="utf-8")
    (opened / "a").chmod(0)
    with an_ordinary_user(), pytest.raises(UnreadableFileError, match="may not read it"):
        find(["a"], border)


def test_two_gigabytes_are_read_in_little_memory(opened: Path, border: FileBorder) -> None:
    size = 2 * 2**30
    with (opened / "huge.log").open("wb") as log:
        log.write(b"first line\n" * 10_000)
        log.seek(size - 10)
        log.write(b"last line\n")
    tracemalloc.start()
    try:
        with open_text(named(border, "huge.log"), border) as stream:
            assert stream.size_bytes == size
            characters = sum(len(text) for _, text in stream)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert characters == 11 * 10_000 + 10
    assert "NUL characters left out" in stream.notes[0]
    assert peak < 8 * MEBIBYTE


def test_a_line_of_a_hundred_megabytes_comes_in_parts(opened: Path, border: FileBorder) -> None:
    with (opened / "a").open("wb") as file:
        file.write(b"short\n")
        for _ in range(100):
            file.write(b"x" * 10**6)
        file.write(b"\nshort again")
    tracemalloc.start()
    try:
        with open_text(named(border, "a"), border) as stream:
            lines: dict[int, int] = {}
            for first, text in stream:
                lines[first] = lines.get(first, 0) + len(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(lines.values()) == 10**8 + 18
    assert stream.last_line == 3 and set(lines) <= {1, 2, 3}
    assert peak < 8 * MEBIBYTE


@pytest.mark.parametrize(("asked", "expected"), [("a:3", "third"), ("a:1-1", "first\n")])
def test_lines_round_a_very_long_one_are_found(
    opened: Path, border: FileBorder, asked: str, expected: str
) -> None:
    (opened / "a").write_text("first\n" + "x" * 3_000_000 + "\nthird", encoding="utf-8")
    assert whole(border, named(border, asked)).text == expected


def test_an_old_encoding_that_is_only_seen_late_is_read(opened: Path, border: FileBorder) -> None:
    german = "Die Straße führt über die Brücke, schöne Grüße aus München.\n"
    text = "plain text\n" * 40_000 + german * 20
    (opened / "a").write_bytes(text.encode("cp1252"))
    assert whole(border, named(border, "a")).text == text


def test_a_few_wrong_bytes_are_replaced_and_counted(opened: Path, border: FileBorder) -> None:
    good = "Zwölf Boxkämpfer jagen Viktor – über den Deich.\n".encode() * 100
    (opened / "a").write_bytes(good + b"bad \xff\xfe bytes\n" + good)
    text = whole(border, named(border, "a"))
    assert text.text.count("Zwölf Boxkämpfer") == 200
    assert text.notes == ("2 characters could not be read as utf-8 and became \ufffd.",)
