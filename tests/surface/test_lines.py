"""What a line of stdin says: leniently where nothing can be misunderstood, else clearly refused."""

import json
from typing import Any

import mcp_types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.surface.stdio.lines import (
    INVALID_REQUEST,
    MAX_BATCH_MESSAGES,
    PARSE_ERROR,
    Refusal,
    messages_in,
)

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


ANYTHING: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 1, 1.0, -5, "x", "2.0", [], {}, {"x": 1}]
)
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "id": st.sampled_from([1, "a"]) | ANYTHING,
    "method": st.just("ping") | ANYTHING,
    "params": st.just({"x": 1}) | ANYTHING,
    "result": st.just({"x": 1}) | ANYTHING,
    "error": st.just({"code": 1, "message": "x"}) | ANYTHING,
}


def said(text: bytes) -> Any:
    """Return the only argument of a call whose JSON has this text."""
    line = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"text":"%s"}}' % text
    (message,) = messages_in(line)
    return message.params["text"]


@given(st.fixed_dictionaries({"jsonrpc": st.just("2.0") | ANYTHING}, optional=MEMBERS))
def test_a_message_is_read_as_what_the_sdk_takes_it_for(members: dict[str, Any]) -> None:
    (message,) = messages_in(json.dumps(members).encode())
    try:
        meant = mcp_types.jsonrpc_message_adapter.validate_python(members, by_name=False)
    except ValueError:
        assert isinstance(message, Refusal)
    else:
        assert message == meant and message.model_fields_set == meant.model_fields_set


@pytest.mark.parametrize(
    "line",
    [b"\xef\xbb\xbf" + PING, PING + b"\r\n", b" \t" + PING, b"\xef\xbb\xbf[" + PING + b"]\r\n"],
)
def test_a_byte_order_mark_and_line_ends_of_windows_are_taken(line: bytes) -> None:
    (message,) = messages_in(line)
    assert (message.id, message.method) == (1, "ping")


@pytest.mark.parametrize("line", [b"", b"\r\n", b"\xef\xbb\xbf\n", b"  \n"])
def test_an_empty_line_says_nothing(line: bytes) -> None:
    assert messages_in(line) == []


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (rb"hi \ud83d", "hi \ufffd"),
        (rb"\ude00 hi", "\ufffd hi"),
        (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (rb"\uD83D\uDE00 \udbff", "\U0001f600 \ufffd"),
        (rb"\\ud83d \ud83d", "\\ud83d \ufffd"),
        (rb"\\\ud83d", "\\\ufffd"),
        (rb"\ud83d\n\u0041", "\ufffd\nA"),
    ],
)
def test_half_a_surrogate_pair_becomes_the_replacement_character(text: bytes, meant: str) -> None:
    assert said(text) == meant


def test_half_a_pair_is_taken_in_names_and_ids_too() -> None:
    line = rb'{"jsonrpc":"2.0","id":"\ud83d","method":"ping","params":{"\udc00":1}}'
    (message,) = messages_in(line)
    assert (message.id, message.params) == ("\ufffd", {"\ufffd": 1})


def test_a_batch_is_taken_apart_and_each_wrong_part_is_refused_by_its_id() -> None:
    first, wrong, nested, last = messages_in(b'[%s,{"id":"a"},[],%s]' % (PING, PING))
    assert first == last and first.method == "ping"
    assert (wrong.request_id, wrong.code) == ("a", INVALID_REQUEST)
    assert (nested.request_id, nested.code) == (None, INVALID_REQUEST)


@pytest.mark.parametrize("messages", [0, MAX_BATCH_MESSAGES + 1])
def test_a_batch_of_none_or_of_too_many_is_refused_as_one(messages: int) -> None:
    (refusal,) = messages_in(json.dumps([1] * messages).encode())
    assert refusal.code == INVALID_REQUEST and str(messages) in refusal.why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (PING.decode().encode("utf-16"), "UTF-16"),
        (PING.decode().encode("utf-16-le"), "UTF-16"),
        (PING.decode().encode("utf-16-be"), "UTF-16"),
        (b"not JSON", "not a JSON-RPC message"),
        (b"[1, 2", "not a JSON-RPC message"),
    ],
)
def test_what_cannot_be_read_is_told_why(line: bytes, why: str) -> None:
    (refusal,) = messages_in(line)
    assert isinstance(refusal, Refusal) and refusal.code == PARSE_ERROR
    assert why in refusal.why and refusal.request_id is None


def test_text_that_is_no_utf_8_is_refused_by_its_id_with_the_byte_and_its_place() -> None:
    line = b'{"jsonrpc":"2.0","id":"a","method":"ping","params":{"x":"caf\xe9"}}'
    (refusal,) = messages_in(line)
    assert refusal.request_id == "a"
    assert f"byte 0xe9 at position {line.index(0xE9)}" in refusal.why
