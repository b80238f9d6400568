"""The tokens at the beginning of a saved prompt cache, whatever the rest of it is."""

import struct
from array import array
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.llama_server.saved_kv.header import (
    Header,
    NotAPromptCacheError,
    common_length,
    read_header,
)

TOKENS = [1, 229, 153, 132, 287]


def written(path: Path, words: list[int], *, count: int | None = None, version: int = 4) -> Path:
    start = struct.pack("<4sII", b"qsgg", version, len(words) if count is None else count)
    path.write_bytes(start + array("i", words).tobytes() + b"state")
    return path


def packed(tokens: list[int], media: int = 0) -> list[int]:
    return [-1, 1, len(tokens), *tokens, media]


@pytest.mark.parametrize("words", [TOKENS, packed(TOKENS)], ids=["plain", "packed"])
def test_both_forms_give_the_tokens(tmp_path: Path, words: list[int]) -> None:
    header = read_header(written(tmp_path / "file", words))
    assert (list(header.tokens), header.media) == (TOKENS, 0)


def test_pictures_are_told(tmp_path: Path) -> None:
    assert read_header(written(tmp_path / "file", packed(TOKENS, media=2))).media == 2


@pytest.mark.parametrize(
    ("words", "differs"),
    [
        (TOKENS, {"count": 2**31}),
        (TOKENS, {"count": 7}),
        (TOKENS, {"version": 5}),
        (packed(TOKENS)[:3], {}),
        ([-1, 2, *packed(TOKENS)[2:]], {}),
        ([-1, 1, 2**30, *TOKENS, 0], {}),
        ([-1, 1, -5, *TOKENS, 0], {}),
    ],
)
def test_numbers_that_the_file_does_not_bear_out_are_not_believed(
    tmp_path: Path, words: list[int], differs: dict[str, int]
) -> None:
    path = written(tmp_path / "file", words, **differs)
    with pytest.raises(NotAPromptCacheError):
        read_header(path)


def test_every_cut_of_a_header_is_an_error(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", packed(TOKENS)).read_bytes()
    end = len(whole) - len(b"state")
    for length in range(end):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(NotAPromptCacheError):
            read_header(tmp_path / "cut")


@given(content=st.binary(max_size=200), begins_well=st.booleans())
def test_any_bytes_are_a_header_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, begins_well: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes((b"qsgg\x04\0\0\0" if begins_well else b"") + content)
    with suppress(NotAPromptCacheError):
        assert isinstance(read_header(path), Header)


@given(one=st.lists(st.integers(0, 2), max_size=40), other=st.lists(st.integers(0, 2), max_size=40))
def test_how_much_two_prompts_have_in_common(one: list[int], other: list[int]) -> None:
    length = common_length(array("i", one), array("i", other))
    assert one[:length] == other[:length]
    assert one[length : length + 1] != other[length : length + 1] or length == min(
        len(one), len(other)
    )
