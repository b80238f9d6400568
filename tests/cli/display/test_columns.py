"""Columns of a terminal: widths, cuts and tables."""

import pytest

from llama_mcp.cli.display.columns import Column, bar, cut, cut_middle, table, width_of, wrapped

COLUMNS = (Column("NAME", is_flexible=True), Column("SIZE", is_number=True), Column("KIND"))
ROWS = [("short", "1.0 GiB", "chat"), ("a-much-longer-name-of-a-model", "12.5 GiB", "base")]


def test_wide_characters_count_twice_and_marks_not_at_all() -> None:
    assert [width_of(text) for text in ("abc", "日本", "e\u0301", "")] == [3, 4, 1, 0]


@pytest.mark.parametrize("columns", range(12))
@pytest.mark.parametrize("text", ["plain ascii text", "日本語のとても長い題名", "e\u0301" * 20])
def test_a_cut_text_is_never_wider_than_its_room(text: str, columns: int) -> None:
    assert width_of(cut(text, columns)) <= columns
    assert width_of(cut_middle(text, columns)) <= columns


def test_what_fits_is_not_cut() -> None:
    assert cut("four", 4) == cut_middle("four", 4) == "four"
    assert cut("longer", 4) == "lon…"
    assert cut_middle("beginning-end", 7) == "beg…end"


def test_a_table_without_a_terminal_is_as_wide_as_it_is() -> None:
    head, first, second = table(COLUMNS, ROWS, None)
    assert head == "NAME                               SIZE  KIND"
    assert first.endswith(" 1.0 GiB  chat")
    assert second == "a-much-longer-name-of-a-model  12.5 GiB  base"


@pytest.mark.parametrize("width", [10, 20, 30, 40, 80])
def test_a_table_fits_the_terminal(width: int) -> None:
    assert all(width_of(line) <= width for line in table(COLUMNS, ROWS, width))


def test_a_narrow_table_leaves_out_what_matters_least() -> None:
    assert table(COLUMNS, ROWS, 40)[0].split() == ["NAME", "SIZE", "KIND"]
    assert table(COLUMNS, ROWS, 36)[0].split() == ["NAME", "SIZE"]
    assert table(COLUMNS, ROWS, 20)[0].split() == ["NAME"]


def test_a_sentence_is_wrapped_and_loses_no_word() -> None:
    sentence = "Run `llama-mcp stop` first, or wait until nobody uses it."
    lines = wrapped([sentence], 20)
    assert " ".join(lines) == sentence and all(width_of(line) <= 20 for line in lines)
    assert wrapped([sentence], None) == [sentence]


def test_a_table_spells_out_what_a_terminal_would_obey() -> None:
    shown = "\n".join(table(COLUMNS, [("\x1b[2Jname\nnext", "1", "\u202echat")], None))
    assert "\x1b" not in shown and "\u202e" not in shown
    assert "\\x1b[2Jname\\nnext" in shown
    assert shown.count("\n") == 1


def test_a_bar_is_never_longer_than_it_may_be() -> None:
    assert [bar(share, 4) for share in (-1, 0, 0.5, 1, 7)] == [
        "....",
        "....",
        "##..",
        "####",
        "####",
    ]
