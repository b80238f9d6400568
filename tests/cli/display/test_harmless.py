"""Text of a model that arrives in pieces."""

from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.cli.display.harmless import HarmlessText
from llama_mcp.visible_text import visible

PIECES = st.lists(st.text(alphabet="ab\r\n\t\x1b[\u202e\u2066\x07é", max_size=4), max_size=8)


@given(PIECES)
def test_pieces_are_shown_as_the_whole_text_would_be(pieces: list[str]) -> None:
    harmless = HarmlessText()
    shown = "".join(map(harmless.take, pieces)) + harmless.end()
    assert shown == visible("".join(pieces))


def test_a_line_end_in_two_pieces_is_one_line_end() -> None:
    harmless = HarmlessText()
    assert harmless.take("one\r") == "one"
    assert harmless.take("\ntwo\r") == "\ntwo"
    assert harmless.end() == "\\x0d"
