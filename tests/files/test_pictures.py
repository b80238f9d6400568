"""Pictures are measured by their headers; only those that llama-server decodes are taken."""

import struct
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from llama_mcp.files.border import FileBorder
from llama_mcp.files.contents.pictures import measure
from llama_mcp.files.errors import BadNameError, PictureUnusableError
from llama_mcp.files.finding import find
from llama_mcp.files.named import FileKind, Picture
from llama_mcp.files.reading import read_text


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" + bytes(3 * width)) if height == 1 else b""
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def jpeg(width: int, height: int, frame: int = 0xC2) -> bytes:
    exif = b"\xff\xe1" + struct.pack(">H", 10) + bytes(8)
    size = struct.pack(">BHHB", 8, height, width, 3) + bytes(9)
    return (
        b"\xff\xd8" + exif + bytes((0xFF, 0xFF, frame)) + struct.pack(">H", 17) + size + b"\xff\xd9"
    )


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b"," + bytes(12) + b";"


def bmp(width: int, height: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + info + bytes(8)


def read(border: FileBorder, name: str) -> Picture:
    (file,) = find([name], border).files
    assert file.kind is FileKind.PICTURE
    picture = read_text(file, border, 10)
    assert isinstance(picture, Picture)
    return picture


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (png(640, 480), "image/png"),
        (jpeg(640, 480), "image/jpeg"),
        (gif(640, 480), "image/gif"),
        (bmp(640, 480), "image/bmp"),
        (bmp(640, -480), "image/bmp"),
    ],
)
def test_pictures_are_read_with_their_measures(
    opened: Path, border: FileBorder, content: bytes, media_type: str
) -> None:
    (opened / "picture.txt").write_bytes(content)
    picture = read(border, "picture.txt")
    assert (picture.media_type, picture.width, picture.height) == (media_type, 640, 480)
    assert picture.content == content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"RIFF\x20\0\0\0WEBPVP8 " + bytes(30), "a WebP picture .* PNG, JPEG, GIF, BMP"),
        (b"\0\0\0\x1cftypavif" + bytes(30), "an AVIF picture"),
        (b"\0\0\0\x1cftypheic" + bytes(30), "a HEIC picture"),
        (b"II*\0" + bytes(30), "a TIFF picture"),
        (png(640, 480)[:-20], "cut off"),
        (jpeg(640, 480)[:18], "cut off"),
        (jpeg(640, 480, frame=0xC9), "does not decode"),
        (b"\xff\xd8\xff\xd9", "without a frame"),
        (png(0, 480), "0 x 480 pixels"),
        (png(100_000, 100_000), "at most 64 million"),
        (b"BM" + bytes(60), "0 x 0 pixels"),
    ],
)
def test_pictures_that_cannot_be_decoded_are_refused_with_the_reason(
    opened: Path, border: FileBorder, content: bytes, reason: str
) -> None:
    (opened / "picture").write_bytes(content)
    with pytest.raises(PictureUnusableError, match=reason):
        read(border, "picture")


def test_a_picture_has_no_lines(opened: Path, border: FileBorder) -> None:
    (opened / "picture").write_bytes(png(9, 9))
    with pytest.raises(BadNameError, match="has no lines"):
        find(["picture:1-3"], border)


def test_a_picture_cut_anywhere_is_refused_or_measured() -> None:
    for content in (png(9, 9), jpeg(9, 9), gif(9, 9), bmp(9, 9)):
        for end in range(len(content)):
            with suppress(PictureUnusableError):
                assert measure(content[:end], "picture", "a picture").width == 9
