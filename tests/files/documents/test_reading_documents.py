"""The text of documents is read by a program of its own, and what cannot be read is told."""

import importlib.util
import io
import zipfile
from datetime import date
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from llama_mcp.files.border import FileBorder
from llama_mcp.files.documents import running
from llama_mcp.files.errors import (
    DocumentsMissingError,
    DocumentUnreadableError,
    FileTooLargeError,
)
from llama_mcp.files.finding import find
from llama_mcp.files.named import FileText
from llama_mcp.files.reading import open_text, read_text
from tests.files.documents import samples


def text_of(opened: Path, border: FileBorder, content: bytes, asked: str = "document") -> FileText:
    (opened / "document").write_bytes(content)
    (file,) = find([asked], border).files
    text = read_text(file, border, 10**6)
    assert isinstance(text, FileText)
    return text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (samples.pdf("The first line", "Gr\xf6\xdfe"), "The first line\nGröße"),
        (samples.docx(*samples.PARAGRAPHS), "The first paragraph.\n\nGröße & Gewicht"),
        (samples.xlsx(("a", 1.5), (None, date(2026, 11, 27))), "# Figures\na\t1.5\n\t2026-11-27"),
        (samples.pptx("one", "two & three"), "# Slide 1\none\n\n# Slide 2\ntwo & three"),
        (samples.odt(*samples.PARAGRAPHS), "## The first paragraph.\nGröße & Gewicht  end"),
        (samples.epub(*samples.PARAGRAPHS), "The first paragraph.\n\n\nGröße & Gewicht"),
        (samples.RTF, "The first paragraph.\nGröße"),
        (
            samples.HTML.encode(),
            "The title\n\n# A heading\n\nSome bold words.\nA line.\n\n- one\n- two\n\n"
            "a | 1\nb | 2\n\n  kept\n    as it is\n\nGröße & Gewicht",
        ),
    ],
    ids=["pdf", "docx", "xlsx", "pptx", "odt", "epub", "rtf", "html"],
)
def test_the_text_of_documents_is_read(
    opened: Path, border: FileBorder, content: bytes, expected: str
) -> None:
    text = text_of(opened, border, content)
    assert text.text.strip().replace("00:00:00", "").replace("T\n", "\n").rstrip("T") == expected
    assert text.size_bytes == len(content)


def test_lines_of_a_document_are_those_of_its_text(opened: Path, border: FileBorder) -> None:
    content = samples.docx("one", "two", "three")
    assert text_of(opened, border, content, "document:3").text == "two\n"


def test_a_page_of_html_is_read_as_its_source_by_lines(opened: Path, border: FileBorder) -> None:
    assert text_of(opened, border, samples.HTML.encode(), "document:1-").text == samples.HTML


def locked_pdf() -> bytes:
    from pypdf import PdfWriter

    writer = PdfWriter(clone_from=io.BytesIO(samples.pdf("secret")))
    writer.encrypt("password", algorithm="RC4-128")
    content = io.BytesIO()
    writer.write(content)
    return content.getvalue()


def bomb() -> bytes:
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as parts,
        parts.open("word/document.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(600):
            part.write(bytes(2**20))
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (locked_pdf(), "locked with a password"),
        (samples.pdf(), "it holds no text, only pictures"),
        (samples.pdf("x")[:200], "it is damaged"),
        (samples.docx("x")[:-30], "it is damaged"),
        (samples.zipped({"word/document.xml": "<a>"}), "it is damaged"),
        (bomb(), "it unpacks to more than 512 MiB"),
        (samples.odt("x", "x")[:120] + bytes(300), "it is damaged"),
    ],
    ids=["locked", "empty", "cut pdf", "cut docx", "no xml", "bomb", "no zip"],
)
def test_documents_that_cannot_be_read_are_told_with_the_reason(
    opened: Path, border: FileBorder, content: bytes, why: str
) -> None:
    with pytest.raises(DocumentUnreadableError, match=why):
        text_of(opened, border, content)


def test_entities_that_multiply_are_refused(opened: Path, border: FileBorder) -> None:
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12))
    evil = f'<!DOCTYPE x [<!ENTITY e0 "lol">{entities}]><x>&e12;</x>'
    mimetype = "application/vnd.oasis.opendocument.text"
    content = samples.zipped({"mimetype": mimetype, "content.xml": evil})
    with pytest.raises(DocumentUnreadableError):
        text_of(opened, border, content)


def test_a_document_that_is_too_large_is_refused(
    opened: Path, border: FileBorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "MAX_DOCUMENT_BYTES", 100)
    with pytest.raises(FileTooLargeError):
        text_of(opened, border, samples.pdf("x"))


def test_a_reader_that_goes_early_ends_the_program(opened: Path, border: FileBorder) -> None:
    (opened / "document").write_bytes(samples.xlsx(*([("some words",) * 20] * 5000)))
    (file,) = find(["document"], border).files
    with open_text(file, border) as stream:
        assert next(iter(stream))
    with pytest.raises(FileTooLargeError):
        read_text(file, border, 1000)


@pytest.mark.parametrize("content", [samples.pdf("x"), samples.docx("x"), samples.RTF])
def test_the_extra_is_named_where_it_is_missing(
    opened: Path, border: FileBorder, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_extra(monkeypatch)
    (opened / "a.txt").write_text("text", encoding="utf-8")
    with pytest.raises(DocumentsMissingError, match=r'pip install "llama-mcp\[documents\]"'):
        text_of(opened, border, content)
    found = find(["*"], border)
    assert [file.name for file in found.files] == ["a.txt"]
    assert "an extra that is not installed" in found.left_out[0].why


def test_a_page_of_html_is_read_with_its_markup_where_the_extra_is_missing(
    opened: Path, border: FileBorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_extra(monkeypatch)
    text = text_of(opened, border, samples.HTML.encode())
    assert text.text == samples.HTML
    assert "llama-mcp[documents]" in text.notes[0]


def without_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the libraries not be found, as where they are not installed."""
    libraries = {name for names in running._LIBRARIES.values() for name in names}
    real = importlib.util.find_spec

    def find_spec(name: str) -> ModuleSpec | None:
        return None if name in libraries else real(name)

    monkeypatch.setattr(running, "find_spec", find_spec)
