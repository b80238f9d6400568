"""Files are told by their first bytes, and texts are texts whatever they begin with."""

import os
import random
import struct

import pytest

from llama_mcp.files.contents.encodings import encoding_of
from llama_mcp.files.contents.formats import format_of
from llama_mcp.files.named import FileKind


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\x7fELF\x02\x01\x01" + bytes(60), "a program (ELF)"),
        (b"MZ\x90\0" + bytes(60), "a program of Windows"),
        (b"SQLite format 3\0" + bytes(80), "an SQLite database"),
        (b"GGUF\3\0\0\0" + bytes(80), "a GGUF model"),
        (b"PK\3\4" + bytes(26) + b"some.file", "a ZIP archive"),
        (b"\x1f\x8b\x08" + bytes(30), "data packed with gzip"),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(30), "WAV sound"),
        (b"\0\0\0\x18ftypisom" + bytes(30), "MP4 or QuickTime sound or video"),
        (b"a.txt" + bytes(252) + b"ustar\00000" + bytes(100), "a tar archive"),
        (bytes(range(256)) * 4, "binary data"),
        (struct.pack("<200i", *range(200)), "binary data"),
        (b"abc\0def", "binary data"),
        (b"names\0ended by\0a NUL\0" * 9, "binary data"),
    ],
)
def test_binary_files_are_told_by_name(head: bytes, what: str) -> None:
    found = format_of(head)
    assert (found.what, found.kind) == (what, None)


@pytest.mark.parametrize(
    "text",
    [
        *("MZ is how programs begin", "BM", "BMW builds cars", "GIF89a is a format", "ID3 tags"),
        *("GGUF files hold models", "PAR1\n", "Rar! it said", "RIFFs of rock", "%PDX", "", "\n"),
        *("<svg xmlns='x'></svg>", "<htm", "\x1b[31mred\x1b[0m log\n", "a\tb\x0c\r\n"),
    ],
)
def test_texts_that_begin_like_other_formats_are_texts(text: str) -> None:
    assert format_of(text.encode()).kind is FileKind.TEXT


@pytest.mark.parametrize(
    "page",
    [
        *("<!DOCTYPE html><p>x", "<html>", "\ufeff\n <!-- a --> <!-- b -->\n<HTML lang=de>"),
        '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0">',
    ],
)
def test_pages_of_html_are_documents(page: str) -> None:
    assert format_of(page.encode()).suffix == "html"


def test_random_bytes_are_no_text() -> None:
    numbers = random.Random(16)
    for size in (64, 100, 1000, 5000, 65_536):
        for _ in range(5):
            assert encoding_of(numbers.randbytes(size)) is None
    assert encoding_of(os.urandom(65_536)) is None


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["一一一 一二三\n" * 30, "plain\r\n" * 10, "Привет, мир\n" * 9])
def test_wide_texts_without_a_mark_are_read_by_their_nuls(encoding: str, text: str) -> None:
    assert encoding_of(text.encode(encoding)) == encoding


@pytest.mark.parametrize("nuls", [1, 2, 3])
def test_a_text_with_a_few_nuls_is_no_chinese(nuls: int) -> None:
    assert encoding_of(b"a line of a log\n" * 30 + bytes(nuls) + b"after the crash\n") == "utf-8"
