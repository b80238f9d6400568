import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.sessions.texts import clean_text, clean_title, title_from

ANY_CHARACTER = st.characters(categories=None)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_valid_text_stays_as_it_is(text: str) -> None:
    assert clean_text(text) == text


@given(st.text(ANY_CHARACTER))
def test_any_text_comes_out_valid_and_cleaning_twice_changes_nothing(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode()
    assert clean_text(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\ud83d\ude00", "\U0001f600"),
        ("a\ud83db", "a\ufffdb"),
        ("a\ude00\ud83d", "a\ufffd\ufffd"),
        ("\ufeffa\x00\ud800", "\ufeffa\x00\ufffd"),
    ],
)
def test_surrogates_become_what_they_mean_or_the_replacement_character(
    text: str, cleaned: str
) -> None:
    assert clean_text(text) == cleaned


@given(st.text(ANY_CHARACTER))
def test_a_title_is_one_short_printable_line(text: str) -> None:
    title = title_from(text)
    assert 0 < len(title) <= 80
    assert title.isprintable()


def test_a_long_title_ends_between_words() -> None:
    title = title_from("word " * 100)
    assert title.endswith("word…")
    assert len(title) <= 80


def test_a_message_without_anything_to_show_gives_a_session_without_a_title() -> None:
    assert title_from("\n \x00\t") == "Untitled"
    assert clean_title("\n") == ""
