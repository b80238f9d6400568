"""The line of a key is the one on which it begins, whatever stands around it."""

import tomllib

import pytest

from llama_mcp.toml_lines import Place, line_of

DOCUMENT = """# A comment.

[[models]]
name = "first"  # with "quotes" ] and brackets
extra_args = [
  "--a", # ] @@@

  "]",
]
keep = true
text = @@@
keep = false
[[models]]
@@@

[[models]]
  "name" = 'second'
literal = '''
]'''
[models.below]
deep.er = 1
""".replace("@@@", '"""')


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("models",), 3),
        (("models", 0), 3),
        (("models", 0, "name"), 4),
        (("models", 0, "extra_args"), 5),
        (("models", 0, "keep"), 10),
        (("models", 0, "text"), 11),
        (("models", 1), 16),
        (("models", 1, "name"), 17),
        (("models", 1, "literal"), 18),
        (("models", 1, "below"), 20),
        (("models", 1, "below", "deep", "er"), 21),
    ],
)
def test_a_key_has_the_line_on_which_it_begins(place: Place, line: int) -> None:
    assert line_of(DOCUMENT, place) == line


def test_a_list_that_is_one_value_has_the_line_on_which_the_value_begins() -> None:
    text = "\n\nmodels = [\n  { name = 'a' },\n  { name = 'b' },\n]\n"
    assert line_of(text, ("models", 1, "name")) == 3


@pytest.mark.parametrize("ending", ["", "\n", "\n\n"])
def test_a_key_on_the_last_line_is_found(ending: str) -> None:
    assert line_of(f"a = 1\nb = 2{ending}", ("b",)) == 2


def test_every_line_of_a_long_text_is_found() -> None:
    text = "".join(f"key{number} = [\n{number}\n]\n# between\n" for number in range(200))
    assert set(tomllib.loads(text)) == {f"key{number}" for number in range(200)}
    lines = [line_of(text, (f"key{number}",)) for number in (0, 1, 99, 198, 199)]
    assert lines == [1, 5, 397, 793, 797]
