"""Each row has the shortest name that means no other."""

from pathlib import Path

from llama_mcp.models.rows.names import Candidates, names_of, shown_name


def named(*rows: list[str]) -> list[str]:
    paths = [Path(f"/p/{number}") for number in range(len(rows))]
    return names_of([Candidates(path, row) for path, row in zip(paths, rows, strict=True)])


def test_a_short_name_is_taken_where_it_means_one_model_only() -> None:
    assert named(["m", "u/r/m"], ["n", "u/r/n"]) == ["m", "n"]
    assert named(["m", "u/r/m"], ["m", "u/s/m"]) == ["u/r/m", "u/s/m"]
    assert named(["m", "m"], ["m", "u/s/m"]) == ["m", "u/s/m"]
    assert named(["M", "u/r/M"], ["m", "u/s/m"]) == ["u/r/M", "u/s/m"]


def test_of_two_whose_longest_names_are_the_same_the_second_has_its_path() -> None:
    assert named(["m", "m"], ["m", "m"]) == ["m", str(Path("/p/1"))]
    assert named(["caf\u00e9"], ["cafe\u0301"]) == ["caf\u00e9", str(Path("/p/1"))]


def test_a_name_is_shown_in_one_line_of_text_whatever_its_bytes() -> None:
    assert shown_name("a\nb\x1b[31m\u202e\udcff") == "a\\nb\\x1b[31m\\u202e\\udcff"
    assert shown_name("тест é 模型") == "тест é 模型"
