"""Decoding gives the same text however the bytes are cut, and never fails."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.files.contents.encodings import TextDecoder, encoding_of

TEXTS = st.text(st.sampled_from("ab \n\r\tüß漢😀\0"), max_size=40)


def pieces(content: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    return [content[a:b] for a, b in zip(places, places[1:], strict=False)]


def decoded(decoder: TextDecoder, chunks: Iterable[bytes]) -> str:
    return "".join(map(decoder.decode, chunks)) + decoder.decode(b"", is_last=True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32-le"])
@given(text=TEXTS, cuts=st.lists(st.integers(0, 200), max_size=6))
def test_a_text_is_the_same_however_it_is_cut(encoding: str, text: str, cuts: list[int]) -> None:
    decoder = TextDecoder(encoding)
    expected = text.replace("\0", "").replace("\r\n", "\n")
    assert decoded(decoder, pieces(text.encode(encoding), cuts)) == expected
    assert (decoder.replaced, decoder.nuls) == (0, text.count("\0"))


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_any_bytes_are_decoded_or_said_to_be_no_text(content: bytes, cuts: list[int]) -> None:
    encoding = encoding_of(content)
    if encoding is not None:
        text = decoded(TextDecoder(encoding), pieces(content, cuts))
        assert "\0" not in text and "\r\n" not in text
