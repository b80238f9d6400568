"""The lines that are meant are those that the whole text has, however it is read in chunks."""

import io
from collections.abc import Generator

from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.files.contents import text_stream
from llama_mcp.files.contents.text_stream import TextStream


class Cut:
    """A text that comes in the pieces that it is given."""

    encoding = "utf-8"
    sha256 = ""
    notes: tuple[str, ...] = ()

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts
        self.size_bytes = len("".join(texts).encode())

    def texts(self) -> Generator[str, None, None]:
        yield from self._texts


def lines_of(texts: list[str]) -> list[str]:
    return list(io.StringIO("".join(texts), newline="\n"))


@given(
    st.lists(st.text(st.sampled_from("ab\n"), max_size=9), max_size=9),
    st.integers(1, 12),
    st.one_of(st.none(), st.integers(0, 12)),
    st.integers(1, 6),
)
def test_lines_are_those_of_the_whole_text(
    texts: list[str], first: int, more: int | None, longest: int
) -> None:
    last = None if more is None else first + more
    before = text_stream.MAX_LINE_CHARACTERS
    text_stream.MAX_LINE_CHARACTERS = longest
    try:
        stream = TextStream(Cut(texts), (first, last))
        blocks = list(stream)
    finally:
        text_stream.MAX_LINE_CHARACTERS = before
    lines = lines_of(texts)
    meant = lines[first - 1 : last]
    assert "".join(text for _, text in blocks) == "".join(meant)
    assert stream.last_line == (min(len(lines), last or len(lines)) if meant else 0)
    for line, text in blocks:
        assert text.split("\n")[0] in lines[line - 1]


@given(st.lists(st.text(st.sampled_from("ab\n"), max_size=9), max_size=9))
def test_blocks_end_where_lines_end(texts: list[str]) -> None:
    blocks = [text for _, text in TextStream(Cut(texts))]
    assert "".join(blocks) == "".join(texts)
    assert all(text.endswith("\n") for text in blocks[:-1])
