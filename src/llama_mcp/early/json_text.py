"""JSON by the C code of the standard library alone.

The module json brings re and enum: as much time as Python's own start takes, and 1.2 MiB. Where its
C code is not there or has changed, json does the same (tests/early/test_json_text.py).
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Strict:
    """What the C code asks of a decoder; a name twice in one object is an error, and so is NaN."""

    strict = True
    object_hook = None
    parse_float = float
    parse_int = int
    array_hook = None  # CPython 3.15

    @staticmethod
    def object_pairs_hook(pairs: "list[tuple[str, Any]]") -> "dict[str, Any]":
        members = dict(pairs)
        if len(members) < len(pairs):
            raise ValueError("a name is there twice")
        return members

    @staticmethod
    def parse_constant(name: str) -> "Any":
        raise ValueError(f"{name} is no JSON")


_scan: "Callable[[str, int], tuple[Any, int]]"
try:
    if hasattr(sys, "gettotalrefcount"):  # a debug build ends the process for that SystemError
        raise ImportError
    import _json

    # Its stub does not say that it takes anything with these attributes.
    _scan = _json.make_scanner(_Strict)  # type: ignore[arg-type]
    _quote = _json.encode_basestring
except (ImportError, AttributeError, TypeError):
    import json.encoder

    _scan = json.JSONDecoder(
        object_pairs_hook=_Strict.object_pairs_hook, parse_constant=_Strict.parse_constant
    ).raw_decode
    _quote = json.encoder.encode_basestring


def parsed(text: str) -> "Any":
    """Return what a JSON text without white space around it says.

    Raises:
        ValueError: it is no JSON, or has a name twice in one object.
        RecursionError: it is nested too deeply.
    """
    try:
        value, end = _scan(text, 0)
    except (StopIteration, SystemError) as error:
        # The C code takes its error's class from json.decoder, and nothing has imported that.
        raise ValueError("it is no JSON") from error
    if end != len(text):
        raise ValueError("something follows")
    return value


def id_text(request_id: object) -> str:
    """Return the id of a request, a text or a whole number, as JSON."""
    return _quote(request_id) if isinstance(request_id, str) else str(request_id)
