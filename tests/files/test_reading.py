"""What is read is what the file says, with a hash of its bytes."""

import hashlib
from pathlib import Path

import pytest

from llama_mcp.files.border import FileBorder
from llama_mcp.files.errors import FileTooLargeError, UnreadableFileError
from llama_mcp.files.finding import find
from llama_mcp.files.named import FileText, NamedFile
from llama_mcp.files.reading import open_text, read_text

MEGABYTE = 10**6


def named(border: FileBorder, asked: str) -> NamedFile:
    return find([asked], border).files[0]


def text_of(border: FileBorder, asked: str, max_bytes: int = MEGABYTE) -> FileText:
    text = read_text(named(border, asked), border, max_bytes)
    assert isinstance(text, FileText)
    return text


def test_a_text_is_read_whole_with_the_hash_of_its_bytes(opened: Path, border: FileBorder) -> None:
    content = "eins\r\nzwei\n\ndrei äöü\x0c\u2028ohne Ende".encode()
    (opened / "a.txt").write_bytes(content)
    text = text_of(border, "a.txt")
    assert text.text == "eins\nzwei\n\ndrei äöü\x0c\u2028ohne Ende"
    assert (text.size_bytes, text.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (text.first_line, text.last_line, text.notes) == (None, None, ())


@pytest.mark.parametrize(
    ("lines", "expected", "first", "last"),
    [
        ("1", "one\n", 1, 1),
        ("2-3", "two\nthree\n", 2, 3),
        ("2-", "two\nthree\nfour", 2, 4),
        ("4", "four", 4, 4),
        ("3-99", "three\nfour", 3, 4),
    ],
)
def test_lines_are_read_as_the_file_counts_them(
    opened: Path, border: FileBorder, lines: str, expected: str, first: int, last: int
) -> None:
    (opened / "a").write_text("one\ntwo\nthree\nfour", encoding="utf-8")
    text = text_of(border, f"a:{lines}")
    assert (text.text, text.first_line, text.last_line) == (expected, first, last)
    assert text.sha256 == hashlib.sha256(expected.encode()).hexdigest()


def test_lines_behind_the_end_are_refused(opened: Path, border: FileBorder) -> None:
    (opened / "a").write_text("one\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="it has no line 2"):
        text_of(border, "a:2")


GERMAN = "Die Straße führt über die Brücke, schöne Grüße aus München, sagte er – „natürlich“.\n"
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива.\n"
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"
CHINESE = "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心。\n"
POLISH = "Zażółć gęślą jaźń. Wszyscy ludzie rodzą się wolni i równi pod względem godności.\n"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        *((each, GERMAN) for each in ("utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252")),
        *((f"utf-16-{each}", text) for each in ("le", "be") for text in (GERMAN, JAPANESE)),
        *((f"utf-32-{each}", GERMAN) for each in ("le", "be")),
        *(("cp1251", RUSSIAN), ("koi8-r", RUSSIAN), ("cp1250", POLISH)),
        *(("shift_jis", JAPANESE), ("euc_jp", JAPANESE), ("gb18030", CHINESE)),
    ],
)
def test_texts_are_read_in_their_encoding(
    opened: Path, border: FileBorder, encoding: str, text: str
) -> None:
    (opened / "a").write_bytes((text * 20).encode(encoding))
    assert text_of(border, "a").text == text * 20


def test_what_is_too_large_is_refused_with_the_numbers(opened: Path, border: FileBorder) -> None:
    (opened / "a").write_text("line\n" * 1000, encoding="utf-8")
    with pytest.raises(FileTooLargeError, match="5,000 bytes, and at most 4,999"):
        text_of(border, "a", 4999)
    assert text_of(border, "a:1-10", 4999).size_bytes == 50


def test_a_text_comes_in_blocks_of_whole_lines(opened: Path, border: FileBorder) -> None:
    lines = [f"line {number} {'x' * 60}\n" for number in range(1, 20_001)]
    (opened / "a").write_text("".join(lines), encoding="utf-8")
    with open_text(named(border, "a"), border) as stream:
        blocks = list(stream)
    assert len(blocks) > 3
    assert "".join(text for _, text in blocks) == "".join(lines)
    for first, text in blocks:
        assert text.endswith("\n") and text.startswith(f"line {first} ")
