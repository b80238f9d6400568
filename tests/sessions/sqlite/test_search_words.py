import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.sessions.sqlite.migrations import migrate
from llama_mcp.sessions.sqlite.search_words import (
    cut_snippets,
    searchable,
    spelled,
    split_query,
)
from llama_mcp.sessions.texts import clean_text

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
FORMS: tuple[Form, ...] = ("NFC", "NFD", "NFKC", "NFKD")
ANY_TEXT = st.text(st.characters(categories=None), min_size=1, max_size=60)
# Letters with and without marks, of scripts that are written in different ways, and symbols.
WORDS_OF_MANY_SCRIPTS = st.text(
    st.sampled_from(
        "#%+Ia²½ÅßéİıſΣςσकषก각កខមẛệ€々がカ漢각글한ﬁＦｘﾞ🌈🏳🏽👍🙂𠮷"
        "\u00ad\u0301\u0308\u0323\u0345\u034f\u05b8\u05dd\u05e9\u0640\u0645\u064f\u093f"
        "\u094d\u0e35\u0e48\u17d2\u200c\u200d\ufdfa\ufe0f"
    )
    | st.characters(categories=["L", "M", "N", "S"]),
    min_size=1,
    max_size=20,
)


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.create_function("searchable", 2, searchable, deterministic=True)
        migrate(connection)
        yield connection


def is_found(index: sqlite3.Connection, text: str, query: str) -> bool:
    """Return whether the index finds the text by all words of the query."""
    words = split_query(query)
    if not words:
        return spelled(query.strip()) in spelled(clean_text(text))
    found = True
    index.execute("BEGIN")
    index.execute("INSERT INTO search (rowid, words) VALUES (1, ?)", (searchable(text, ""),))
    for word in words:
        rows = index.execute("SELECT 1 FROM search WHERE search MATCH ?", (word.match,))
        found = found and rows.fetchone() is not None
    index.execute("ROLLBACK")
    return found


@given(text=ANY_TEXT)
def test_no_query_is_a_syntax_error(index: sqlite3.Connection, text: str) -> None:
    is_found(index, "a b c", text)


@pytest.mark.parametrize(
    "query",
    ['"', "AND", "a OR", "NEAR(a b", "words:a", "-a", "a*", "^a", "(", "{a b}: c", "a\x00b"],
)
def test_operators_are_plain_words(index: sqlite3.Connection, query: str) -> None:
    assert is_found(index, f"before {query} after", query)


@given(
    before=ANY_TEXT,
    word=WORDS_OF_MANY_SCRIPTS,
    after=ANY_TEXT,
    text_form=st.sampled_from(FORMS),
    query_form=st.sampled_from(FORMS),
)
def test_a_text_is_found_by_each_of_its_words_in_any_normal_form(
    index: sqlite3.Connection, before: str, word: str, after: str, text_form: Form, query_form: Form
) -> None:
    text = clean_text(unicodedata.normalize(text_form, f"{before} {word} {after}"))
    assert is_found(index, text, unicodedata.normalize(query_form, word))


@given(word=WORDS_OF_MANY_SCRIPTS)
def test_case_makes_no_difference(word: str) -> None:
    for other in (word.casefold(), word.upper(), word.lower()):
        assert split_query(other) == split_query(word)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("résumé", "resume"),
        ("resume", "résumé"),
        ("Tiếng Việt", "viet"),
        ("Łódź, smørrebrød, Æsir", "LODZ SMORREBROD aesir"),
        ("Straße", "STRASSE"),
        ("ISPARTA", "ısparta"),
        ("İstanbul", "istanbul"),
        ("ΟΔΟΣ", "οδός"),
        ("the ﬁnal ｄｒａｆｔ x² CO₂", "final draft x2 co2"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("محـــمد", "محمد"),
        ("می‌خواهم", "میخواهم"),
        ("हिन्दी में", "हिन्दी"),
        ("ガギグ", "ｶﾞｷﾞｸﾞ"),
        ("我们用数据库保存对话", "数据库"),
        ("ภาษาไทยง่าย", "ไทย"),
        ("soft\u00adhyphen", "softhyphen"),
        ("it’s “quoted”", 'it\'s "quoted"'),
        ("great 🎉 ❤️ 👍🏽", "🎉 ❤ 👍"),
        ("👩\u200d💻", "💻"),
        ("100% of 5€", "% €"),
        ("C++, C# and node.js", "c++ c# node.js"),
        ("src/main_loop.py", "main_loop.py"),
        ("self.foo_bar(x)", "foo_bar"),
        ("a\x00b", "b"),
        ("half \ufffd", "half \ud83d"),
    ],
)
def test_words_are_found_however_they_are_written(
    index: sqlite3.Connection, text: str, query: str
) -> None:
    assert is_found(index, text, query)


@pytest.mark.parametrize(
    ("text", "query"),
    [("C and D", "c++"), ("किताब", "कुताब"), ("か", "が"), ("각", "가"), ("café", "tea")],
)
def test_what_is_another_word_is_not_found(
    index: sqlite3.Connection, text: str, query: str
) -> None:
    assert not is_found(index, text, query)


def test_a_query_of_punctuation_has_no_words() -> None:
    assert split_query('?! ... "') == ()


def test_words_of_a_query_that_are_written_alike_count_once() -> None:
    assert len(split_query("Résumé resume RESUME other")) == 2


def test_characters_of_scripts_without_spaces_are_words_of_their_own() -> None:
    assert searchable("数据库 ok", "").split() == ["数", "据", "库", "ok"]
    assert [word.match for word in split_query("数据")] == ['"数 据"']


def test_a_snippet_shows_what_matched_in_its_surroundings() -> None:
    text = "lorem ipsum " * 100 + "the Crème\nbrûlée recipe " + "dolor sit " * 100
    snippet = cut_snippets(("", text), split_query("creme"))
    assert "the Crème brûlée recipe" in snippet
    assert snippet.startswith("…") and snippet.endswith("…")
    assert len(snippet) < 210


def test_a_snippet_finds_its_place_behind_characters_that_fold_to_more_or_less() -> None:
    text = "ﷺ ½ e\u0301 \u00ad" * 300 + "needle " + "straw " * 300
    assert "needle" in cut_snippets((text,), split_query("needle"))


def test_a_snippet_prefers_the_beginning_of_a_word() -> None:
    text = "start " + "x" * 100 + " " + "y" * 300 + " art is long"
    assert "art is long" in cut_snippets((text,), split_query("art"))


def test_a_snippet_shows_the_longest_word_of_the_query_wherever_it_is() -> None:
    message = "the cat and the dog " * 50
    snippet = cut_snippets((message, message + "hippopotamus"), split_query("hippopotamus"))
    assert "hippopotamus" in snippet


def test_question_and_reply_are_both_shown_when_both_match() -> None:
    texts = ("Which city is the capital of Italy? " + "x " * 300, "Rome is the capital. " * 50)
    snippet = cut_snippets(texts, split_query("capital"))
    assert "Which city is the capital of Italy?" in snippet
    assert "Rome is the capital." in snippet
    assert len(snippet) < 210


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.characters(categories=["L"]), min_size=1),
)
def test_a_snippet_is_always_a_short_line(text: str, query: str) -> None:
    snippet = cut_snippets((text,), split_query(query))
    assert len(snippet) <= 202
    assert snippet.isprintable()
