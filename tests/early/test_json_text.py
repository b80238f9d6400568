"""JSON is read as the module json reads it, but for what is not clear."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.early.json_text import id_text, parsed

SOURCES = str(Path(__file__).parents[2] / "src")

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
WRONG = ["", "{", '{"a":}', "[1,", "-", "x", "NaN", "Infinity", "1 2", '{"a":1,"a":2}', '"\x00"']
# Where nothing has imported json, its C code has no class for its errors.
PROGRAM = f"""
import sys
from llama_mcp.early.json_text import parsed
assert "json" not in sys.modules and "re" not in sys.modules
for text in {WRONG!r}:
    try:
        parsed(text)
    except ValueError:
        continue
    raise AssertionError(text)
"""


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    for ensure_ascii in (True, False):
        assert parsed(json.dumps(value, ensure_ascii=ensure_ascii)) == value


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parsed(text)


def test_what_is_no_json_is_refused_where_nothing_has_imported_json() -> None:
    environment = os.environ | {"PYTHONPATH": SOURCES}
    subprocess.run([sys.executable, "-S", "-c", PROGRAM], check=True, env=environment)


@given(st.text() | st.integers())
def test_an_id_is_written_as_json(request_id: str | int) -> None:
    assert json.loads(id_text(request_id)) == request_id
