"""Responses of HTTP: read as they come, within bounds, and known to be whole or not."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.connect.responses import (
    BadResponseError,
    EndOfResponseError,
    ResponseReader,
    whole,
)

CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: text/event-stream; charset=utf-8\r\n\r\n4\r\nabcd\r\n3;x=1\r\nefg\r\n0\r\n\r\n"
)


def receiving(*pieces: bytes) -> Callable[[int], bytes]:
    """Give the pieces one after the other, as a connection that is closed afterwards."""
    rest = [piece for piece in pieces if piece]

    def receive(most: int) -> bytes:
        if not rest:
            return b""
        data, rest[0] = rest[0][:most], rest[0][most:]
        if not rest[0]:
            rest.pop(0)
        return data

    return receive


def read(*pieces: bytes) -> tuple[int, bytes, bool]:
    reader = ResponseReader(receiving(*pieces))
    head = reader.head()
    return head.status, whole(reader.body(head)), reader.is_whole


@given(st.lists(st.integers(0, len(CHUNKED)), max_size=10))
def test_a_response_is_the_same_wherever_it_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(CHUNKED)]
    pieces = [CHUNKED[begin:end] for begin, end in zip(places, places[1:], strict=False)]
    assert read(*pieces) == (200, b"abcdefg", True)


def test_a_body_with_a_length_ends_there() -> None:
    assert read(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef") == (200, b"abc", True)


def test_a_connection_that_the_server_closes_takes_no_other_request() -> None:
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"
    assert read(closing) == (200, b"a", False)
    assert read(b"HTTP/1.0 200 OK\r\n\r\nabc") == (200, b"abc", False)


def test_a_status_without_a_body_has_none() -> None:
    assert read(b"HTTP/1.1 204 No Content\r\n\r\n") == (204, b"", True)


@pytest.mark.parametrize(
    "text",
    [
        *(b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/2 200\r\n\r\n"),
        *(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 50_000),
        b"HTTP/1.1 200 OK" + b" " * 200_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    ],
)
def test_what_is_no_http_is_refused(text: bytes) -> None:
    with pytest.raises(BadResponseError):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"HTTP/1.1", b"HTTP/1.1 200 OK\r\nA: b"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_a_response_that_breaks_off_is_not_taken_for_a_whole_one(text: bytes) -> None:
    with pytest.raises(EndOfResponseError):
        read(text)


def test_no_more_is_read_than_is_wanted() -> None:
    with pytest.raises(BadResponseError, match="more than 1 KiB"):
        whole(iter([b"a" * 1000, b"b" * 1000]), most=1024)
