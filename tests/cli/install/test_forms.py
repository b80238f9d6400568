"""Edits of configuration texts: the entry goes in and out, and not a byte of the rest changes."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.cli.install.forms.editing import (
    Form,
    NotEditableError,
    Spot,
    UnreadableTextError,
    applied,
    entries_at,
    put,
    taken_out,
)
from llama_mcp.cli.install.forms.json_text import JsonText
from llama_mcp.cli.install.forms.toml_text import TomlText
from llama_mcp.cli.install.forms.yaml_text import YamlText

SPOT = Spot(("mcpServers",), "llama-mcp")
VALUE = {"command": "/opt/llama mcp", "args": [], "env": {"LLAMA_MCP_PORT": "0", "Ü": "é\\\"'"}}
LISTED = {"name": "llama-mcp", **VALUE}
JSON, STRICT, TOML = JsonText(), JsonText(has_comments=False, has_trailing_commas=False), TomlText()
YAML = YamlText()
IN_LIST = Spot(SPOT.keys, SPOT.name, is_list=True)

JSON_TEXTS = [
    "{}",
    "{}\n",
    '{"mcpServers":{}}',
    '{"mcpServers": {"a": {"command": "x"}}}',
    '{\n  "mcpServers": {}\n}\n',
    '{\n  "mcpServers": {\n    "a": {"command": "x"}\n  }\n}\n',
    '{\n\t"mcpServers": {\n\t\t"a": {\n\t\t\t"command": "x"\n\t\t}\n\t},\n\t"b": 1\n}',
    '// top\n{\n    // all\n    "mcpServers": { // ours\n'
    '        /* one */ "a": {}, // two\n    },\n}\n',
    '{\r\n  "theme": "x", // ü "mcpServers"\r\n  "mcpServers": {\r\n    "a": {}\r\n  }\r\n}\r\n',
    '{ "theme": "a // b", "x": "/*", "mcpServers": { "a": [1, 2,], } }',
    '{"a": 1,\n "mcpServers": {"b": {},\n "c": {}}}\n',
    '{\n  "mcpServers": {\n    // nothing yet\n  }\n}\n',
    '{\n  "mcpServers": { /* begins\n    ends */ "a": {}\n  }\n}\n',
    '{\n  "a": "\\ud83d\\ude00\\/", "n": [1e5, -0.0, 12345678901234567890]\n}',
]
TOML_TEXTS = [
    "",
    '# mine\nmodel = "x" # y\n',
    'a = 1\r\n\r\n[mcpServers.other]\r\ncommand = "a"\r\n',
    '[mcpServers.other]\ncommand="a"\nargs = [\n  ["[x]"],\n]\n\n# about p\n[p."/x"]\nt = 1\n',
    'text = """\n[mcpServers.llama-mcp]\n"""\n',
    "[[list]]\na = 1\n\n[[list]]\na = 2\n",
    'mcpServers.other.command = "a"\n',
]
YAML_TEXTS = [
    "a: 1\n",
    "# c\nmcpServers:\n  # one\n  one: # first\n    command: x\n\n# end\nb: 2\n",
    "mcpServers:\r\n    one:\r\n        command: x\r\nb: 2\r\n",
    "mcpServers:\n  one:\n    text: |\n      many\n      lines\n  two: {command: y}\n",
    "mcpServers:\n  one:\n  two:\nb: [1, 2]\n",
]
YAML_LISTS = [
    "name: x\n",
    "mcpServers:\n- name: a\n  command: b\n# end\nc: 1\n",
    "a: 1\nmcpServers:\n  # of a\n  - name: a # t\n    args: [x]\n\n  - command: y\n    name: b\n",
]
CASES: list[tuple[Form, Spot, str]] = [
    *((JSON, SPOT, text) for text in JSON_TEXTS),
    *((TOML, SPOT, text) for text in TOML_TEXTS),
    *((YAML, SPOT, text) for text in YAML_TEXTS),
    *((YAML, IN_LIST, text) for text in YAML_LISTS),
]


def value_for(spot: Spot) -> dict[str, Any]:
    return LISTED if spot.is_list else VALUE


def with_entry(form: Form, text: str, value: dict[str, Any], spot: Spot = SPOT) -> str:
    return applied(text, put(form, text, spot, value))


@pytest.mark.parametrize(("form", "spot", "text"), CASES, ids=lambda each: repr(each)[:40])
def test_an_entry_goes_in_and_is_the_only_change(form: Form, spot: Spot, text: str) -> None:
    edits = put(form, text, spot, value_for(spot))
    entries = entries_at(form.parsed(applied(text, edits)), spot.keys)
    assert entries["llama-mcp"] == value_for(spot)
    assert all(edit.start == edit.end or not text[edit.start : edit.end].strip() for edit in edits)


@pytest.mark.parametrize(("form", "spot", "text"), CASES, ids=lambda each: repr(each)[:40])
def test_what_went_in_comes_out_and_the_text_is_as_it_was(
    form: Form, spot: Spot, text: str
) -> None:
    changed = with_entry(form, text, value_for(spot), spot)
    after = applied(changed, taken_out(form, changed, spot))
    had_place = "mcpServers" in (form.parsed(text) or {}) or form is TOML
    # A place that was made for it stays, empty: only a backup tells that it was not there.
    assert after == text or not had_place
    assert "llama-mcp" not in entries_at(form.parsed(after), SPOT.keys)


@pytest.mark.parametrize(("form", "spot", "text"), CASES, ids=lambda each: repr(each)[:40])
def test_another_value_takes_the_place_of_the_first(form: Form, spot: Spot, text: str) -> None:
    other = {**value_for(spot), "command": "/other", "timeout": 600}
    changed = with_entry(form, with_entry(form, text, value_for(spot), spot), other, spot)
    assert changed == with_entry(form, text, other, spot)


def test_line_ends_and_indents_are_those_of_the_text() -> None:
    crlf = with_entry(JSON, '{\r\n\t"mcpServers": {\r\n\t\t"a": {}\r\n\t}\r\n}\r\n', VALUE)
    assert crlf.count("\n") == crlf.count("\r\n")
    assert '\r\n\t\t"llama-mcp": {\r\n\t\t\t"command"' in crlf
    assert "\r\n" in with_entry(TOML, "a = 1\r\n", VALUE)


def test_an_empty_text_becomes_one_with_the_entry_alone() -> None:
    assert json.loads(with_entry(JSON, "", VALUE)) == {"mcpServers": {"llama-mcp": VALUE}}
    assert tomllib.loads(with_entry(TOML, "", VALUE)) == {"mcpServers": {"llama-mcp": VALUE}}
    assert YAML.parsed(with_entry(YAML, "", VALUE)) == {"mcpServers": {"llama-mcp": VALUE}}
    new = Spot(SPOT.keys, SPOT.name, is_list=True, beginning="name: n\nversion: 1.0.0\n")
    meant = {"name": "n", "version": "1.0.0", "mcpServers": [LISTED]}
    assert YAML.parsed(with_entry(YAML, "", LISTED, new)) == meant


@pytest.mark.parametrize(
    ("form", "text", "place"),
    [
        (JSON, '{\n  "a": 1,,\n}', "line 2, column 10"),
        (JSON, '{"a": {"b": 1}', "line 1, column 15"),
        (JSON, '{\n  "a": ümlaut\n}', "line 2, column 8"),
        (JSON, "[,]", "line 1, column 2"),
        (STRICT, '{\n  "a": 1, // one\n}', "line 2, column 11"),
        (STRICT, '{\n  "a": 1,\n}', "line 3, column 1"),
        (TOML, "a = 1\nb = \n", "line 2, column 5"),
        (YAML, "a: 1\n b: [\n", "line 2, column"),
    ],
)
def test_a_broken_text_is_refused_with_line_and_column(form: Form, text: str, place: str) -> None:
    with pytest.raises(UnreadableTextError, match=place):
        put(form, text, SPOT, VALUE)


@pytest.mark.parametrize(
    ("form", "text", "why"),
    [
        (JSON, "[]", "the file holds .* a list"),
        (JSON, '{"mcpServers": []}', "`mcpServers` .* a list"),
        (JSON, '{"mcpServers": 5}', "a number"),
        (JSON, '{"mcpServers": {}, "mcpServers": {}}', "twice, at line 1, column 2 and"),
        (JSON, '{"mcpServers": {"llama-mcp": {}, "llama-mcp": {}}}', "twice"),
        (TOML, "mcpServers = {}\n", "leaves no place"),
        (TOML, 'mcpServers = {llama-mcp = {command = "x"}}\n', "no table with a heading"),
        (YAML, "{a: 1}\n", "no mapping on lines of its own"),
        (YAML, "mcpServers: {llama-mcp: {command: x}}\n", "lines of its own"),
        (YAML, "a: 1\n...\n", "leaves no place"),
    ],
)
def test_what_leaves_no_place_for_an_entry_is_refused(form: Form, text: str, why: str) -> None:
    with pytest.raises((NotEditableError, UnreadableTextError), match=why):
        put(form, text, SPOT, VALUE)


def test_too_deep_a_text_is_refused() -> None:
    with pytest.raises(UnreadableTextError):
        put(JSON, "[" * 100_000, SPOT, VALUE)


def test_a_comment_before_the_next_table_stays_where_the_table_is_taken_out() -> None:
    text = (
        '[mcpServers.llama-mcp]\na = 1\n\n[mcpServers.llama-mcp.env]\nB = "c"\n\n# next\n[next]\n'
    )
    assert applied(text, taken_out(TOML, text, SPOT)) == "\n# next\n[next]\n"


def test_an_entry_between_others_is_taken_out_with_its_comma() -> None:
    text = '{"mcpServers": {\n  "a": {},\n  "llama-mcp": {} // ours\n}}'
    assert applied(text, taken_out(JSON, text, SPOT)).count(",") == 0
    text = '{"mcpServers": {"a": {}, "llama-mcp": {}, "b": {}}}'
    assert applied(text, taken_out(JSON, text, SPOT)) == '{"mcpServers": {"a": {}, "b": {}}}'


NAMES = st.text(st.characters(codec="utf-8"), max_size=6)
SCALARS = st.none() | st.booleans() | st.integers() | NAMES
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
GAPS = st.sampled_from(
    ["", " ", "\n", "\n    ", "\r\n\t", " // c, }\n", '/* { " */', "\n  /* a\n b */ "]
)


@st.composite
def json_texts(draw: st.DrawFn, value: Any) -> str:
    """Draw a JSON text with comments, blanks and trailing commas anywhere."""
    if not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=isinstance(value, str) and len(value) % 2 == 0)
    members = value.items() if isinstance(value, dict) else ((None, each) for each in value)
    parts: list[str] = []
    for key, held in members:
        name = "" if key is None else f"{json.dumps(key)}{draw(GAPS)}:{draw(GAPS)}"
        parts.append(f"{draw(GAPS)}{name}{draw(json_texts(held))}{draw(GAPS)}")
    comma = draw(st.sampled_from(["", ","])) if parts else ""
    inside = ",".join(parts) + comma + draw(GAPS)
    return f"{{{inside}}}" if isinstance(value, dict) else f"[{inside}]"


@given(
    st.data(),
    st.dictionaries(NAMES, VALUES, max_size=3),
    st.dictionaries(NAMES, VALUES, max_size=3),
)
def test_any_json_text_gets_the_entry_and_loses_it_again(
    data: st.DataObject, rest: dict[str, Any], servers: dict[str, Any]
) -> None:
    meant = {**rest, "mcpServers": servers}
    text = data.draw(json_texts(meant)) + data.draw(GAPS)
    assert JSON.parsed(text) == meant
    changed = with_entry(JSON, text, VALUE)
    assert JSON.parsed(changed)["mcpServers"] == {"llama-mcp": VALUE, **servers}
    after = applied(changed, taken_out(JSON, changed, SPOT))
    assert JSON.parsed(after) == meant
