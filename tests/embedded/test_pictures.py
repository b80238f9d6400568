"""The pictures that files/contents/pictures.py takes are those that llama-server decodes."""

import base64
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from llama_mcp.files.contents.formats import format_of
from llama_mcp.files.contents.pictures import measure
from llama_mcp.files.errors import PictureUnusableError
from tests.embedded.conftest import Engine
from tests.support.tiny_projector import write_tiny_projector


def png_of_four_pixels() -> bytes:
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress((b"\0" + bytes(range(6))) * 2)),
        (b"IEND", b""),
    )
    written = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def bmp_of_four_pixels(height: int = 2) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, 2, height, 1, 24, 0, 16, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 16, 0, 0, 54) + info + bytes(16)


PNG = png_of_four_pixels()
PICTURES = {
    "PNG": PNG,
    "PNG, cut off": PNG[:60],
    "BMP": bmp_of_four_pixels(),
    "BMP, from the top": bmp_of_four_pixels(-2),
    "GIF": base64.b64decode("R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs="),
    "JPEG": base64.b64decode(
        "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP///////////////////////////////////////////////////////"
        "///////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
    ),
    "WebP": base64.b64decode("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"),
}


def test_a_picture_is_taken_if_and_only_if_llama_server_decodes_it(
    start: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = start("--mmproj", str(write_tiny_projector(tmp_path / "mmproj.gguf")))
    taken = {name for name, content in PICTURES.items() if is_taken(content)}
    assert taken == {name for name, content in PICTURES.items() if is_decoded(engine, content)}
    assert taken == PICTURES.keys() - {"PNG, cut off", "WebP"}


def is_taken(content: bytes) -> bool:
    try:
        measure(content, "picture", format_of(content).what)
    except PictureUnusableError:
        return False
    return True


def is_decoded(engine: Engine, content: bytes) -> bool:
    uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": uri}}, {"type": "text", "text": "x"}]
    body = {"max_tokens": 1, "messages": [{"role": "user", "content": parts}]}
    return engine.ask("/v1/chat/completions", body).status == 200
