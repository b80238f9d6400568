"""Reading each kind of document: an opened file comes in, its text goes out in pieces.

What is packed in a ZIP is measured before it is unpacked. XML is read by the standard library's
expat, which stops at entities that multiply.
"""

import zipfile
from collections.abc import Callable, Iterator
from datetime import date, time
from io import BytesIO
from pathlib import PurePosixPath
from posixpath import normpath
from typing import BinaryIO
from urllib.parse import unquote
from xml.etree import ElementTree

from llama_mcp.files.documents.html_text import text_of_html
from llama_mcp.files.documents.limits import MAX_UNPACKED_BYTES
from llama_mcp.files.documents.problems import DocumentProblem

_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_SLIDES = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_RELATED = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"


def read_pdf(document: BinaryIO) -> Iterator[str]:
    """Yield each page's text."""
    from pypdf import PasswordType, PdfReader

    reader = PdfReader(document)
    if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
        raise DocumentProblem("it is locked with a password")
    for page in reader.pages:
        yield f"{page.extract_text()}\n\n"


def read_docx(document: BinaryIO) -> Iterator[str]:
    """Yield the text with its headings, lists and tables."""
    import mammoth

    _check_unpacked(zipfile.ZipFile(document))
    document.seek(0)
    unnamed = BytesIO(document.read())  # of a file with a name, it looks for what lies beside it
    no_pictures = mammoth.images.img_element(lambda _: {"src": ""})
    html = mammoth.convert_to_html(unnamed, convert_image=no_pictures).value
    yield text_of_html(html.encode())


def read_xlsx(document: BinaryIO) -> Iterator[str]:
    """Yield the rows of each sheet, with tabs between the values."""
    import openpyxl

    _check_unpacked(zipfile.ZipFile(document))
    document.seek(0)
    workbook = openpyxl.load_workbook(document, read_only=True, data_only=True)
    for sheet in workbook.worksheets:
        yield f"# {sheet.title}\n"
        sheet.reset_dimensions()  # what a file says of its size may be anything
        for row in sheet.iter_rows(values_only=True):
            if line := "\t".join(map(_cell, row)).rstrip("\t"):
                yield f"{line}\n"
        yield "\n"


def read_pptx(document: BinaryIO) -> Iterator[str]:
    """Yield the text of each slide."""
    with _unpacked(document) as parts:
        shown = _xml(parts, "ppt/presentation.xml")
        targets = {
            related.get("Id"): related.get("Target", "")
            for related in _xml(parts, "ppt/_rels/presentation.xml.rels")
        }
        for number, slide in enumerate(shown.iter(f"{_SLIDES}sldId"), 1):
            target = normpath(PurePosixPath("ppt", targets[slide.get(_RELATED)])).lstrip("/")
            yield f"# Slide {number}\n"
            for paragraph in _xml(parts, target).iter(f"{_DRAWING}p"):
                if text := "".join(run.text or "" for run in paragraph.iter(f"{_DRAWING}t")):
                    yield f"{text}\n"
            yield "\n"


def read_odt(document: BinaryIO) -> Iterator[str]:
    """Yield the headings and paragraphs."""
    with _unpacked(document) as parts:
        for element in _xml(parts, "content.xml").iter():
            if element.tag not in (f"{_TEXT}h", f"{_TEXT}p"):
                continue
            level = int(element.get(f"{_TEXT}outline-level") or 1)
            mark = f"{'#' * level} " if element.tag == f"{_TEXT}h" else ""
            yield f"{mark}{_odt_text(element)}\n"


def read_epub(document: BinaryIO) -> Iterator[str]:
    """Yield the chapters in the order in which they are read."""
    with _unpacked(document) as parts:
        (root, *_) = _xml(parts, "META-INF/container.xml").findall(".//{*}rootfile")
        package_name = root.get("full-path", "")
        package = _xml(parts, package_name)
        names = {item.get("id"): item.get("href", "") for item in package.findall(".//{*}item")}
        for chapter in package.findall(".//{*}itemref"):
            name = PurePosixPath(package_name).parent / unquote(names[chapter.get("idref")])
            yield f"{text_of_html(parts.read(normpath(name)))}\n\n"


def read_html(document: BinaryIO) -> Iterator[str]:
    """Yield what a page says, without markup."""
    yield text_of_html(document.read())


def read_rtf(document: BinaryIO) -> Iterator[str]:
    """Yield the text."""
    from striprtf.striprtf import rtf_to_text

    rtf = document.read().decode("latin-1")
    yield rtf_to_text(rtf, errors="replace")  # type: ignore[no-untyped-call]  # has no types


READERS: dict[str, Callable[[BinaryIO], Iterator[str]]] = {
    "pdf": read_pdf,
    "docx": read_docx,
    "xlsx": read_xlsx,
    "pptx": read_pptx,
    "odt": read_odt,
    "epub": read_epub,
    "html": read_html,
    "rtf": read_rtf,
}


def _unpacked(document: BinaryIO) -> zipfile.ZipFile:
    parts = zipfile.ZipFile(document)
    _check_unpacked(parts)
    return parts


def _check_unpacked(parts: zipfile.ZipFile) -> None:
    if sum(part.file_size for part in parts.infolist()) > MAX_UNPACKED_BYTES:
        raise DocumentProblem(f"it unpacks to more than {MAX_UNPACKED_BYTES // 2**20} MiB")


def _xml(parts: zipfile.ZipFile, name: str) -> ElementTree.Element:
    return ElementTree.fromstring(parts.read(name))


def _cell(value: object) -> str:
    if isinstance(value, date | time):
        return value.isoformat()
    return "" if value is None else " ".join(str(value).split())


def _odt_text(element: ElementTree.Element) -> str:
    spoken = {f"{_TEXT}tab": "\t", f"{_TEXT}line-break": "\n"}
    text = element.text or ""
    for child in element:
        if child.tag == f"{_TEXT}s":
            text += " " * min(int(child.get(f"{_TEXT}c") or 1), 1000)
        elif child.tag != f"{_TEXT}note":  # a footnote's paragraphs come by themselves
            text += spoken.get(child.tag, "") or _odt_text(child)
        text += child.tail or ""
    return text
