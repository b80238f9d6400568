"""Pictures by their headers: whether llama-server can decode them, and how large they are.

llama-server decodes with stb_image (llama.cpp: tools/mtmd), which knows PNG, JPEG, GIF and BMP, and
neither WebP, TIFF, HEIC nor AVIF.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from llama_mcp.files.errors import PictureUnusableError

MAX_BYTES = 32 * 2**20
# stb_image makes three bytes of each pixel.
MAX_PIXELS = 64 * 10**6
_USABLE = "Formats that work: PNG, JPEG, GIF, BMP. Convert it, or name another."
# Start of frame: baseline, extended, progressive; stb_image decodes no other.
_DECODED_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length.
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})


@dataclass(frozen=True, slots=True)
class Measures:
    """What the header of a picture says; in pixels."""

    media_type: str
    width: int
    height: int


def check_decodable(head: bytes, name: object, what: str) -> None:
    """Raise PictureUnusableError for a format that llama-server does not decode.

    Args:
        head: the first bytes of the file.
        name: what it is called in errors.
        what: what its first bytes say, such as "a WebP picture".
    """
    if not head.startswith(tuple(_READERS)):
        raise PictureUnusableError(name, f"{what} is not one that llama-server decodes", _USABLE)


def measure(content: bytes, name: object, what: str) -> Measures:
    """Return what a picture is; the arguments are those of `check_decodable`, and the whole file.

    Raises:
        PictureUnusableError: llama-server cannot decode it.
    """
    check_decodable(content, name, what)
    media_type, read = next(_READERS[begin] for begin in _READERS if content.startswith(begin))
    try:
        width, height = read(content)
    except (struct.error, IndexError) as error:
        raise PictureUnusableError(name, f"it is {what} that is cut off", _USABLE) from error
    except ValueError as error:
        raise PictureUnusableError(name, f"it is {what} {error}", _USABLE) from error
    if not (width > 0 and height > 0) or width * height > MAX_PIXELS:
        raise PictureUnusableError(
            name,
            f"it has {width} x {height} pixels, and at most {MAX_PIXELS // 10**6} million are "
            "taken",
            "Make it smaller.",
        )
    return Measures(media_type, width, height)


def _png(content: bytes) -> tuple[int, int]:
    if content[12:16] != b"IHDR":
        raise ValueError("without a header")
    width, height = struct.unpack_from(">II", content, 16)
    position = 8
    while content[position + 4 : position + 8] != b"IEND":
        position += 12 + struct.unpack_from(">I", content, position)[0]
    return width, height


def _jpeg(content: bytes) -> tuple[int, int]:
    position = 2
    while True:
        if content[position] != 0xFF:
            raise ValueError("that is damaged")
        while content[position] == 0xFF:
            position += 1
        marker = content[position]
        position += 1
        if marker in _FRAMES:
            if marker not in _DECODED_FRAMES:
                raise ValueError("of a kind that llama-server does not decode")
            height, width = struct.unpack_from(">HH", content, position + 3)
            return width, height
        if marker in (0xD9, 0xDA):
            raise ValueError("without a frame")
        if marker not in _BARE:
            position += struct.unpack_from(">H", content, position)[0]


def _gif(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", content, 6)
    if b"," not in content[13:]:
        raise ValueError("without an image in it")
    return width, height


def _bmp(content: bytes) -> tuple[int, int]:
    size = struct.unpack_from("<I", content, 14)[0]
    if size == 12:
        width, height = struct.unpack_from("<HH", content, 18)
        return width, height
    width, height = struct.unpack_from("<ii", content, 18)
    if struct.unpack_from("<I", content, 30)[0] not in (0, 3, 6):
        raise ValueError("that is compressed")
    return width, abs(height)


_READERS: dict[bytes, tuple[str, Callable[[bytes], tuple[int, int]]]] = {
    b"\x89PNG\r\n\x1a\n": ("image/png", _png),
    b"\xff\xd8\xff": ("image/jpeg", _jpeg),
    b"GIF8": ("image/gif", _gif),
    b"BM": ("image/bmp", _bmp),
}
