import pytest

from llama_mcp.wording import counted, first_few, lasting


def test_one_of_a_kind_is_told_from_none_and_several() -> None:
    assert [counted(count, "turn") for count in (0, 1, 2)] == ["0 turns", "1 turn", "2 turns"]
    assert [counted(count, "reply is", "replies are") for count in (1, 2)] == [
        "1 reply is",
        "2 replies are",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (3 * 3600, "3 h"),
        (200 * 86400, "200 days"),
    ],
)
def test_a_time_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert lasting(seconds) == text


def test_of_many_texts_the_first_are_told_and_how_many_more_there_are() -> None:
    assert first_few([], 2) == ""
    assert first_few(["a", "b"], 2) == "a, b"
    assert first_few(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert first_few(["a: x", "b: y", "c: z"], 2, "; ") == "a: x; b: y; 1 more"
