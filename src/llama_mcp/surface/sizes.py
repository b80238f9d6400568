"""How long a frame may be, counted in bytes of JSON on the wire; what becomes of longer texts."""

import json
from typing import Any

# The official TypeScript clients close the connection at 10 MiB.
MAX_FRAME_BYTES = 8 * 1024 * 1024
# Beside a result a frame has an id, and what the SDK stamps on every result.
RESULT_BYTES = MAX_FRAME_BYTES - 256 * 1024
# Tried one after the other on every text of a result that is too long.
_CHARACTERS = (1_000_000, 100_000, 10_000, 1_000)


def wire_bytes(value: Any) -> int:
    """Return how many bytes of JSON a value is; a control character is six of them."""
    return len(json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace"))


def fitting(value: Any, rest: str = "", room_bytes: int = RESULT_BYTES) -> Any:
    """Return the value, its longest texts cut if it would not fit.

    Args:
        value: JSON data.
        rest: where the rest of a text that is cut can be read, as the end of a sentence.
        room_bytes: what it may be on the wire.
    """
    shown = value
    for characters in _CHARACTERS:
        if wire_bytes(shown) <= room_bytes:
            break
        shown = _cut_texts(value, characters, rest)
    return shown


def cut_text(text: str, characters: int, rest: str = "") -> str:
    """Return the text, or its beginning with how much there is of it, and where."""
    if len(text) <= characters:
        return text
    return f"{text[:characters]}… [cut here, of {len(text)} characters{rest}]"


def cut_middle(text: str, characters: int) -> str:
    """Return the text, or its beginning and end: an error ends with what to do next."""
    if len(text) <= characters:
        return text
    half = characters // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n… [{left_out} characters left out] …\n{text[-half:]}"


def _cut_texts(value: Any, characters: int, rest: str) -> Any:
    if isinstance(value, str):
        return cut_text(value, characters, rest)
    if isinstance(value, list):
        return [_cut_texts(item, characters, rest) for item in value]
    if isinstance(value, dict):
        return {name: _cut_texts(item, characters, rest) for name, item in value.items()}
    return value
