"""What holds for every text that is cut, however its tokens are counted."""

import re
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.files.pieces import LEAST_TOKENS, Cutter, Measure, Piece, border

PROSE = "It was a quiet day. Nobody said a word, and the river went on.\n"


def bytes_of(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def words_of(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]|\s", text))


def quarters_of(text: str) -> int:
    return -(-len(text) // 4)


def uneven(text: str) -> int:
    """Digits are a token a byte, the rest a token for six characters."""
    digits = sum(each.isdigit() for each in text)
    return digits + -(-(len(text) - digits) // 6)


class Counting:
    """A count of tokens that knows how often it was asked."""

    def __init__(self, rule: Callable[[str], int]) -> None:
        self.rule = rule
        self.asked = 0

    async def __call__(self, text: str) -> int:
        self.asked += 1
        return self.rule(text)


async def in_blocks(texts: Sequence[str], first_line: int = 1) -> AsyncIterator[tuple[int, str]]:
    line = first_line
    for text in texts:
        yield line, text
        line += text.count("\n")


async def cut(count: Counting, most: int, *texts: str, first_line: int = 1) -> list[Piece]:
    return [
        piece async for piece in Cutter().cut(in_blocks(texts, first_line), Measure(count, most))
    ]


RULES = st.sampled_from([bytes_of, words_of, quarters_of, uneven])
TEXTS = st.lists(
    st.one_of(
        st.text(max_size=300),
        st.text(alphabet="ab \n", max_size=300),
        st.text(alphabet="0123456789abc.\n", max_size=400),
        st.sampled_from([PROSE * 5, "x" * 500, "\r\n\r\n", "日本語の文。" * 40, "é\u0301" * 90]),
    ),
    max_size=6,
)


@given(TEXTS, RULES, st.integers(LEAST_TOKENS, 200), st.integers(1, 1000))
async def test_every_character_is_in_exactly_one_piece_and_each_piece_fits(
    texts: list[str], rule: Callable[[str], int], most: int, first_line: int
) -> None:
    count = Counting(lambda text: min(rule(text), bytes_of(text)))
    pieces = await cut(count, most, *texts, first_line=first_line)
    assert "".join(piece.text for piece in pieces) == "".join(texts)
    line = first_line
    for piece in pieces:
        assert piece.text
        assert piece.tokens == count.rule(piece.text) <= most
        assert piece.first_line == line
        line += piece.text.count("\n")
        assert piece.is_last == (piece is pieces[-1])
        assert piece.last_line == line - piece.text.endswith("\n")


async def test_a_text_that_fits_is_one_piece_and_is_counted_once() -> None:
    count = Counting(quarters_of)
    (piece,) = await cut(count, 1000, PROSE * 20)
    assert (piece.first_line, piece.last_line) == (1, 20)
    assert count.asked == 1


async def test_nothing_has_no_piece() -> None:
    count = Counting(quarters_of)
    assert await cut(count, 100, "", "") == []
    assert count.asked == 0


@pytest.mark.parametrize("rule", [quarters_of, words_of, bytes_of])
async def test_a_long_even_text_takes_little_more_than_one_count_a_piece(
    rule: Callable[[str], int],
) -> None:
    count = Counting(rule)
    pieces = await cut(count, 300, *[PROSE * 7] * 100)
    assert count.asked <= len(pieces) + 3
    assert len(pieces) <= 1.3 * rule(PROSE * 700) / 300


async def test_a_tiny_text_does_not_make_the_next_one_be_read_far_ahead() -> None:
    asked: list[int] = []

    async def count(text: str) -> int:
        asked.append(len(text))
        return quarters_of(text) - 60  # what the marks may take at the most is taken off

    cutter, measure = Cutter(), Measure(count, 1000)
    for text in ("x" * 230, PROSE * 1000):
        _ = [piece async for piece in cutter.cut(in_blocks([text]), measure)]
    assert max(asked) < 6000


async def test_a_text_whose_tokens_change_takes_few_counts() -> None:
    count = Counting(uneven)
    pieces = await cut(count, 300, (PROSE * 20 + "0123456789" * 60 + "\n") * 20)
    assert count.asked <= 3 * len(pieces)


@pytest.mark.parametrize(
    ("unit", "end"),
    [
        ("def f(a):\n    b = a\n\n    return b\n\n\n", "return b\n\n\n"),
        ("A first line.\nA second one.\n\n", "A second one.\n\n"),
        ("A line without an empty one below\n", "below\n"),
        ("One sentence here. Then another one! ", (". ", "! ")),
        ("words and words ", " "),
        ("一つの文です。", "。"),
    ],
)
async def test_pieces_end_at_the_most_natural_border(unit: str, end: str | tuple[str, ...]) -> None:
    pieces = await cut(Counting(quarters_of), 60, unit * 400)
    assert len(pieces) > 10
    assert all(piece.text.endswith(end) for piece in pieces)


async def test_a_function_is_not_parted_at_an_empty_line_inside_it() -> None:
    function = "def f(a):\n    b = a\n\n    return b\n\n\n"
    pieces = await cut(Counting(quarters_of), 60, function * 100)
    assert all(piece.text.startswith("def") for piece in pieces)


async def test_no_crumb_is_left_at_the_end() -> None:
    pieces = await cut(Counting(quarters_of), 100, PROSE * 7)  # a little more than one piece
    assert len(pieces) == 2
    assert min(len(piece.text) for piece in pieces) > 100


async def test_a_line_longer_than_a_piece_is_parted_within_it() -> None:
    pieces = await cut(Counting(bytes_of), 50, "x" * 220 + "\nend")
    assert [(piece.first_line, piece.last_line) for piece in pieces][:2] == [(1, 1), (1, 1)]
    assert pieces[-1].last_line == 2


async def test_what_belongs_to_a_character_stays_with_it() -> None:
    for text in ("e\u0301" * 400, "\r\n" * 400, "👍🏽" * 200):
        pieces = await cut(Counting(bytes_of), 101, text)
        assert not any(piece.text[0] in "\u0301\n🏽" for piece in pieces)


async def test_no_more_is_read_than_the_next_pieces_need() -> None:
    read = 0

    async def blocks() -> AsyncIterator[tuple[int, str]]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield 1 + number, PROSE

    pieces = Cutter().cut(blocks(), Measure(Counting(quarters_of), 100))
    async for _ in pieces:
        break
    assert read * len(PROSE) < 2000
    await pieces.aclose()


def test_a_piece_too_small_to_hold_anything_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        Measure(Counting(bytes_of), LEAST_TOKENS - 1)


def test_a_border_is_looked_for_near_the_end_only() -> None:
    assert border("one\n\n" + "x" * 100) == 105
