"""Several names of files in one text."""

import pytest

from llama_mcp.surface.prompts.typed_files import files_in, is_typable, last_name


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("notes.txt", ["notes.txt"]),
        ("a.txt, my notes.md ,src/**/*.py", ["a.txt", "my notes.md", "src/**/*.py"]),
        ("a.txt\nb.txt\r\n", ["a.txt", "b.txt"]),
        ('"my notes.md", \'b.txt\', "', ["my notes.md", "b.txt", '"']),
        ('["one, two.txt", "b.txt"]', ["one, two.txt", "b.txt"]),
        ("[ab]*.txt", ["[ab]*.txt"]),
        ("[1, 2]", ["[1", "2]"]),
        (" , ,\n", []),
        ("", []),
        ("[]", ["[]"]),
        ("[" * 20_000, ["[" * 20_000]),
    ],
)
def test_names_stand_between_commas_or_in_a_list(typed: str, names: list[str]) -> None:
    assert files_in(typed) == names


@pytest.mark.parametrize(
    ("typed", "before", "name"),
    [
        ("", "", ""),
        ("no", "", "no"),
        ("a.txt, my no", "a.txt, ", "my no"),
        ("a.txt,", "a.txt,", ""),
        ("a.txt\n b", "a.txt\n ", "b"),
    ],
)
def test_the_last_name_is_the_one_that_is_still_typed(typed: str, before: str, name: str) -> None:
    assert last_name(typed) == (before, name)


@pytest.mark.parametrize(
    ("name", "can_stand"), [("a b.txt", True), ("a,b.txt", False), (" a", False), ("'a'", False)]
)
def test_a_name_that_would_be_read_as_another_is_not_proposed(name: str, can_stand: bool) -> None:
    assert is_typable(name) is can_stand
