"""What a file is by its first bytes, in words, and whether it is text, a picture or a document."""

import re
from dataclasses import dataclass

from llama_mcp.files.contents.encodings import encoding_of
from llama_mcp.files.named import FileKind

# As many bytes are looked at; a ZIP names what it holds within them.
HEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Format:
    """What a file is; without a kind it cannot be read."""

    what: str
    kind: FileKind | None = None
    suffix: str = ""
    """Of documents: what chooses who reads them."""


_PICTURE, _DOCUMENT = FileKind.PICTURE, FileKind.DOCUMENT
TEXT = Format("text", FileKind.TEXT)
UNKNOWN = Format("binary data")
_ZIP = Format("a ZIP archive")

_BEGINNINGS: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", Format("a PNG picture", _PICTURE)),
    (b"\xff\xd8\xff", Format("a JPEG picture", _PICTURE)),
    (b"GIF87a", Format("a GIF picture", _PICTURE)),
    (b"GIF89a", Format("a GIF picture", _PICTURE)),
    (b"II*\0", Format("a TIFF picture", _PICTURE)),
    (b"MM\0*", Format("a TIFF picture", _PICTURE)),
    (b"\0\0\1\0", Format("an icon", _PICTURE)),
    (b"8BPS", Format("a Photoshop picture", _PICTURE)),
    (b"\xff\x0a", Format("a JPEG XL picture", _PICTURE)),
    (b"\0\0\0\x0cJXL ", Format("a JPEG XL picture", _PICTURE)),
    (b"%PDF-", Format("a PDF document", _DOCUMENT, "pdf")),
    (b"{\\rtf", Format("an RTF document", _DOCUMENT, "rtf")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Format("an old Office document (.doc, .xls, .ppt)")),
    (b"PK\3\4", _ZIP),
    (b"PK\5\6", Format("an empty ZIP archive")),
    (b"GGUF", Format("a GGUF model")),
    (b"\x7fELF", Format("a program (ELF)")),
    (b"MZ", Format("a program of Windows")),
    (b"\xcf\xfa\xed\xfe", Format("a program (Mach-O)")),
    (b"\xca\xfe\xba\xbe", Format("a program (Mach-O or Java)")),
    (b"\0asm", Format("a WebAssembly module")),
    (b"SQLite format 3\0", Format("an SQLite database")),
    (b"\x1f\x8b", Format("data packed with gzip")),
    (b"BZh", Format("data packed with bzip2")),
    (b"\xfd7zXZ\0", Format("data packed with xz")),
    (b"\x28\xb5\x2f\xfd", Format("data packed with Zstandard")),
    (b"7z\xbc\xaf\x27\x1c", Format("a 7z archive")),
    (b"Rar!\x1a\x07", Format("a RAR archive")),
    (b"OggS", Format("Ogg sound or video")),
    (b"fLaC", Format("FLAC sound")),
    (b"ID3", Format("MP3 sound")),
    (b"\x1aE\xdf\xa3", Format("Matroska or WebM video")),
    (b"PAR1", Format("a Parquet table")),
    (b"\x80\x04\x95", Format("a Python pickle")),
    (b"\x93NUMPY", Format("a NumPy array")),
    (b"\x89HDF\r\n", Format("an HDF5 file")),
)
# By what stands behind the length of the first part, at byte 4 or 8.
_BRANDS = {
    b"ftypheic": Format("a HEIC picture", _PICTURE),
    b"ftypheix": Format("a HEIC picture", _PICTURE),
    b"ftypmif1": Format("a HEIC picture", _PICTURE),
    b"ftypavif": Format("an AVIF picture", _PICTURE),
}
_RIFF = {
    b"WEBP": Format("a WebP picture", _PICTURE),
    b"WAVE": Format("WAV sound"),
    b"AVI ": Format("AVI video"),
}
_ZIPPED: tuple[tuple[bytes, Format], ...] = (
    (b"mimetypeapplication/epub+zip", Format("an EPUB book", _DOCUMENT, "epub")),
    (
        b"mimetypeapplication/vnd.oasis.opendocument.text",
        Format("an ODT document", _DOCUMENT, "odt"),
    ),
    (b"mimetypeapplication/vnd.oasis.opendocument.", Format("an OpenDocument file")),
    (b"word/", Format("a DOCX document", _DOCUMENT, "docx")),
    (b"xl/", Format("an XLSX workbook", _DOCUMENT, "xlsx")),
    (b"ppt/", Format("a PPTX presentation", _DOCUMENT, "pptx")),
)
_BEFORE_HTML = re.compile(r"(<!--.*?-->|<\?xml.*?\?>)\s*", re.DOTALL)
_HTML = ("<!doctype html", "<html")


def format_of(head: bytes, tail: bytes = b"") -> Format:
    """Return what a file is.

    Args:
        head: its first HEAD_BYTES, or all of them when there are fewer.
        tail: its last bytes, if there are more; a ZIP lists there what it holds.
    """
    magic, known = _by_first_bytes(head)
    if known is _ZIP:
        return _zipped(head, tail)
    if known.kind is FileKind.DOCUMENT or not (known is UNKNOWN or magic.isascii()):
        return known
    encoding = encoding_of(head)
    if encoding is not None:  # a text may begin with the letters by which a format is told
        return Format("an HTML page", _DOCUMENT, "html") if _is_html(head, encoding) else TEXT
    return Format("a tar archive") if head[257:262] == b"ustar" else known


def _by_first_bytes(head: bytes) -> tuple[bytes, Format]:
    """Return the bytes by which the format is told, and the format."""
    if head[:4] == b"RIFF":
        return head[:4] + head[8:12], _RIFF.get(head[8:12], UNKNOWN)
    if head[4:8] == b"ftyp":
        return head[4:12], _BRANDS.get(head[4:12], Format("MP4 or QuickTime sound or video"))
    if head[:2] == b"BM":
        return head[:2], Format("a BMP picture", _PICTURE)
    found = (each for each in _BEGINNINGS if head.startswith(each[0]))
    return next(found, (b"", UNKNOWN))


def _zipped(head: bytes, tail: bytes) -> Format:
    for mark, found in _ZIPPED:
        is_typed = mark.startswith(b"mimetype")
        if mark in head[:512] if is_typed else mark in head or mark in tail:
            return found
    return _ZIP


def _is_html(head: bytes, encoding: str) -> bool:
    begin = head[:4096].decode(encoding, "ignore").lstrip("\ufeff \t\r\n").lower()
    while (opening := _BEFORE_HTML.match(begin)) is not None:
        begin = begin[opening.end() :]
    return begin.startswith(_HTML)
