"""What a file says: small ones whole, texts of any size in blocks of lines."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from typing import BinaryIO

from llama_mcp.files.border import FileBorder
from llama_mcp.files.contents.encodings import UTF_8, encoding_of
from llama_mcp.files.contents.formats import HEAD_BYTES, Format, format_of
from llama_mcp.files.contents.pictures import MAX_BYTES, measure
from llama_mcp.files.contents.text_stream import FileSource, TextSource, TextStream
from llama_mcp.files.documents.running import (
    HTML,
    DocumentSource,
    check_installed,
    is_installed,
)
from llama_mcp.files.errors import (
    DOCUMENTS_COMMAND,
    BinaryFileError,
    FileTooLargeError,
    UnreadableFileError,
    unreadable,
)
from llama_mcp.files.named import FileKind, FileText, NamedFile, Picture
from llama_mcp.files.naming.opening import open_file

# The list at the end of a ZIP has some 60 bytes for each part.
_TAIL_BYTES = 65_536
_AS_SOURCE = (
    f"It was read with its markup; {DOCUMENTS_COMMAND} lets llama-mcp read only what a page says."
)


def read_text(file: NamedFile, border: FileBorder, max_bytes: int) -> FileText | Picture:
    """Return what a file holds, whole, or the lines of it that are meant.

    Args:
        file: what `find` has found.
        border: the same border; all is checked again.
        max_bytes: the most that is taken, in bytes of UTF-8; pictures have a limit of their own.

    Raises:
        FileRefusedError: it cannot be read, or not any more.
        FileTooLargeError: it is more than `max_bytes`.
    """
    if file.kind is FileKind.PICTURE:
        return _read_picture(file, border)
    if file.kind is FileKind.TEXT and not file.has_lines and file.size_bytes > max_bytes:
        raise FileTooLargeError(file.name, file.size_bytes, max_bytes)
    with open_text(file, border) as stream:
        parts, size_bytes, first = [], 0, None
        for line, text in stream:
            first = first or line
            parts.append(text)
            size_bytes += len(text.encode("utf-8", "replace"))
            if size_bytes > max_bytes:
                raise FileTooLargeError(file.name, max(size_bytes, file.size_bytes), max_bytes)
    text = "".join(parts)
    if not file.has_lines:
        return FileText(
            *(file.name, file.path, None, None, text),
            size_bytes=stream.size_bytes,
            sha256=stream.sha256,
            notes=stream.notes,
        )
    if first is None:
        raise UnreadableFileError(file.name, f"it has no line {file.first_line}")
    content = text.encode("utf-8", "replace")
    return FileText(
        *(file.name, file.path, first, stream.last_line, text),
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        notes=stream.notes,
    )


@contextmanager
def open_text(file: NamedFile, border: FileBorder) -> Iterator[TextStream]:
    """Open a text of any size as blocks of lines; raises as `read_text` does.

    Reading the blocks raises UnreadableFileError when the system stops giving the file.
    """
    with _opened(file, border) as (opened, found, encoding):
        source: TextSource
        if found.suffix == HTML and (file.has_lines or not is_installed(HTML)):
            notes = () if file.has_lines else (_AS_SOURCE,)
            source = FileSource(opened, file.name, encoding or UTF_8, notes)
        elif found.kind is FileKind.DOCUMENT:
            check_installed(file.name, found.suffix, found.what)
            size_bytes = os.fstat(opened.fileno()).st_size
            source = DocumentSource(opened, file.name, found.suffix, size_bytes)
        elif found.kind is FileKind.TEXT and encoding is not None:
            source = FileSource(opened, file.name, encoding)
        else:
            raise BinaryFileError(file.name, found.what)
        yield TextStream(source, (file.first_line, file.last_line))


def ends_of(file: BinaryIO | FileIO, size_bytes: int) -> tuple[bytes, bytes]:
    """Return the first bytes of an opened file, and its last if there are more; rewinds it."""
    head = file.read(HEAD_BYTES) or b""
    tail = b""
    if size_bytes > len(head) == HEAD_BYTES and head[:2] == b"PK":
        file.seek(max(0, size_bytes - _TAIL_BYTES))
        tail = file.read(_TAIL_BYTES) or b""
    file.seek(0)
    return head, tail


@contextmanager
def _opened(file: NamedFile, border: FileBorder) -> Iterator[tuple[BinaryIO, Format, str | None]]:
    descriptor = open_file(file.path, file.name, border)
    with os.fdopen(descriptor, "rb") as source:
        try:
            head, tail = ends_of(source, os.fstat(descriptor).st_size)
        except OSError as error:
            raise unreadable(file.name, error) from error
        found = format_of(head, tail)
        is_text = found.kind is FileKind.TEXT or found.suffix == HTML
        yield source, found, encoding_of(head) if is_text else None


def _read_picture(file: NamedFile, border: FileBorder) -> Picture:
    with _opened(file, border) as (source, found, _):
        if found.kind is not FileKind.PICTURE:
            raise UnreadableFileError(file.name, "it is no picture any more", "Look again.")
        try:
            content = source.read(MAX_BYTES + 1)
        except OSError as error:
            raise unreadable(file.name, error) from error
    if len(content) > MAX_BYTES:
        raise FileTooLargeError(file.name, max(file.size_bytes, len(content)), MAX_BYTES)
    measures = measure(content, file.name, found.what)
    return Picture(
        *(file.name, file.path, measures.media_type, measures.width, measures.height, content),
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
