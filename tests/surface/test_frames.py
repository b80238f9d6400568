"""What goes out is one line of valid Unicode, and never longer than a client takes."""

import json

import pytest
from mcp_types import ErrorData as Fault
from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCResponse

from llama_mcp.surface.sizes import MAX_FRAME_BYTES
from llama_mcp.surface.stdio.frames import frame_of


@pytest.mark.parametrize("request_id", [7, "seven"])
def test_an_answer_that_is_too_long_becomes_an_error_that_names_its_size(
    request_id: int | str,
) -> None:
    # Each is six bytes on the wire.
    text = "\x00" * (MAX_FRAME_BYTES // 6)
    line = frame_of(JSONRPCResponse(jsonrpc="2.0", id=request_id, result={"text": text}))
    answer = json.loads(line)
    assert answer["id"] == request_id
    assert str(MAX_FRAME_BYTES) in answer["error"]["message"]
    assert any(
        int(word) > MAX_FRAME_BYTES for word in answer["error"]["message"].split() if word.isdigit()
    )


def test_an_answer_that_just_fits_goes_out() -> None:
    empty = len(frame_of(JSONRPCResponse(jsonrpc="2.0", id=1, result={"text": ""})))
    text = "x" * (MAX_FRAME_BYTES - empty)
    line = frame_of(JSONRPCResponse(jsonrpc="2.0", id=1, result={"text": text}))
    assert len(line) == MAX_FRAME_BYTES and json.loads(line)["result"]["text"] == text


def test_an_id_that_is_too_long_itself_is_left_out() -> None:
    fault = Fault(code=1, message="x")
    line = frame_of(JSONRPCError(jsonrpc="2.0", id="x" * MAX_FRAME_BYTES, error=fault))
    assert json.loads(line)["id"] is None and len(line) < 1000


def test_a_notification_that_is_too_long_is_not_sent() -> None:
    params = {"message": "x" * MAX_FRAME_BYTES}
    assert frame_of(JSONRPCNotification(jsonrpc="2.0", method="x", params=params)) == b""


def test_half_a_surrogate_pair_goes_out_as_the_replacement_character() -> None:
    result = {"text": "a\ud83d", "\udc00": ["\ud83d\ude00"]}
    line = frame_of(JSONRPCResponse(jsonrpc="2.0", id=1, result=result))
    assert json.loads(line.decode())["result"] == {"text": "a\ufffd", "\ufffd": ["\U0001f600"]}
