"""What the bridge reads of a line, and the headers that it makes of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import decode_header_value, encode_header_value

from llama_mcp.connect.failures import INVALID_REQUEST, PARSE_ERROR
from llama_mcp.connect.messages import NotAMessageError, error_line, header_value, read_message
from tests.support.raw_client import ENVELOPE


def line_of(**message: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode()


@given(st.text())
def test_a_value_travels_in_a_header_as_the_sdk_has_it(text: str) -> None:
    if not text.isascii() or text.isprintable():  # what the SDK does with tabs is its own matter
        assert header_value(text) == encode_header_value(text)
    assert decode_header_value(header_value(text)) == text


def test_a_request_of_2026_repeats_in_headers_what_it_is_about() -> None:
    params = {"_meta": ENVELOPE, "name": "chat", "arguments": {}}
    message = read_message(line_of(id=1, method="tools/call", params=params))
    assert message.own_headers() == [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "chat"),
    ]


def test_a_request_of_the_handshake_era_has_no_such_headers() -> None:
    message = read_message(line_of(id=1, method="tools/call", params={"name": "chat"}))
    assert message.own_headers() == []


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"{", b"\xff{}", b'{"a": NaN}', b"[" * 100_000, b'{"jsonrpc":"2.0","jsonrpc":"2"}'),
        *(b"[]", b"1", b"null", line_of(), line_of(id=1), line_of(id=None, method="a")),
        *(line_of(id=True, method="a"), line_of(id=1.5, method="a"), line_of(method=1)),
        *(line_of(result={}), b'{"id": 1, "method": "ping"}'),
    ],
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(NotAMessageError) as refusal:
        read_message(line)
    assert refusal.value.code in (PARSE_ERROR, INVALID_REQUEST)


def test_ids_that_are_written_differently_are_two() -> None:
    number, text = line_of(id=1, method="ping"), line_of(id="1", method="ping")
    assert (read_message(number).id, read_message(text).id) == ("1", '"1"')


@pytest.mark.parametrize("request_id", [7, -1, "a", 'with "quotes" and\nlines', "\ud800", "ä"])
def test_an_error_names_the_request_that_it_answers(request_id: str | int) -> None:
    asked = read_message(line_of(id=request_id, method="ping"))
    answer = error_line(asked.id, -32000, 'it "failed"\nhere')
    assert b"\n" not in answer
    error = {"code": -32000, "message": 'it "failed"\nhere'}
    assert json.loads(answer) == {"jsonrpc": "2.0", "id": request_id, "error": error}


def test_a_cancel_names_the_request_that_it_is_about() -> None:
    cancel = line_of(method="notifications/cancelled", params={"requestId": "7"})
    assert read_message(cancel).cancelled == '"7"'
    for params in ({}, {"requestId": None}, {"requestId": True}):
        assert read_message(line_of(method="notifications/cancelled", params=params)).cancelled is (
            None
        )
