import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.sessions.sqlite.search_words import build_match, cut_snippet, searchable


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE search USING fts5 (words)")
    connection.execute("INSERT INTO search VALUES ('a b c')")
    yield connection
    connection.close()


@given(text=st.text(st.characters(categories=None), min_size=1, max_size=60))
def test_no_query_is_a_syntax_error(index: sqlite3.Connection, text: str) -> None:
    match = build_match(text)
    if match is not None:
        index.execute("SELECT 1 FROM search WHERE search MATCH ?", (match,)).fetchall()


@pytest.mark.parametrize(
    "query",
    ['"', "AND", "a OR", "NEAR(a b", "words:a", "-a", "a*", "^a", "(", "{a b}: c", "a\x00b"],
)
def test_operators_are_plain_words(index: sqlite3.Connection, query: str) -> None:
    match = build_match(query)
    if match is not None:
        index.execute("SELECT 1 FROM search WHERE search MATCH ?", (match,)).fetchall()


def test_a_query_without_a_word_matches_nothing() -> None:
    assert build_match("?! ... 🙂") is None


def test_characters_of_scripts_without_spaces_are_words_of_their_own() -> None:
    assert searchable("数据库 ok", "") == " 数  据  库  ok\n"
    assert build_match("数据") == '"数 据"'


def test_nul_parts_words() -> None:
    assert searchable("a\x00b", "c") == "a b\nc"


def test_a_snippet_shows_what_matched_in_its_surroundings() -> None:
    text = "lorem ipsum " * 100 + "the Crème\nbrûlée recipe " + "dolor sit " * 100
    snippet = cut_snippet(("", text), "creme")
    assert "the Crème brûlée recipe" in snippet
    assert snippet.startswith("…") and snippet.endswith("…")
    assert len(snippet) < 210


def test_a_snippet_prefers_the_beginning_of_a_word() -> None:
    text = "start " + "x" * 100 + " " + "y" * 300 + " art is long"
    assert "art is long" in cut_snippet((text,), "art")


def test_a_snippet_shows_the_longest_word_of_the_query_wherever_it_is() -> None:
    message = "the cat and the dog " * 50
    assert "hippopotamus" in cut_snippet((message, message + "hippopotamus"), "the hippopotamus")


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.characters(categories=["L"]), min_size=1),
)
def test_a_snippet_is_always_a_short_line(text: str, query: str) -> None:
    snippet = cut_snippet((text,), query)
    assert len(snippet) <= 202
    assert snippet.isprintable()
