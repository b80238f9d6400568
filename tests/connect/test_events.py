"""Server-sent events are read alike however the network cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.connect import events
from llama_mcp.connect.events import messages_in
from llama_mcp.connect.responses import BadResponseError

STREAM = (
    b': ping\r\n\r\nevent: message\r\ndata: {"a": 1}\r\n\r\nid: 7\nretry: 10\ndata:\n\n'
    b'data: {"b":\ndata: 2}\n\nevent: message\ndata: {"c": 3}\r\n\r\ndata: {"never whole": 1}\n'
)
MESSAGES = [b'{"a": 1}', b'{"b": 2}', b'{"c": 3}']


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_messages_are_the_same_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[begin:end] for begin, end in zip(places, places[1:], strict=False)]
    assert list(messages_in(pieces)) == MESSAGES


@pytest.mark.parametrize("endless", [b"data: x" + b"x" * 100, b"data: x\n" * 20])
def test_a_message_without_an_end_is_not_kept_for_ever(
    endless: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_BYTES", 100)
    with pytest.raises(BadResponseError, match="does not end"):
        list(messages_in([endless]))
