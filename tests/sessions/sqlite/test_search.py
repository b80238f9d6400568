"""Finding sessions by what was said in them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.records import SessionList
from llama_mcp.sessions.sqlite import walking
from tests.sessions.talk import say


def titles(page: SessionList) -> list[str]:
    return [session.title for session in page.sessions]


async def test_titles_messages_and_replies_are_searched_and_the_piece_is_shown(
    archive: Archive,
) -> None:
    session_id = await say(archive, "How do I bake bread?", "With flour, water and patience.")

    for query in ("bread", "patience"):
        (session,) = (await archive.list_sessions(query, owner=LOCAL_OWNER)).sessions
        assert session.session_id == session_id
        assert query in (session.match or "")
    await archive.update_session(session_id, title="Sourdough", owner=LOCAL_OWNER)
    (session,) = (await archive.list_sessions("sourdough", owner=LOCAL_OWNER)).sessions
    assert session.match == "Sourdough"


async def test_a_session_is_found_when_it_has_all_words_in_whatever_turns(
    archive: Archive,
) -> None:
    found = await say(archive, "apples", "and pears")
    await say(archive, "cherries", "and grapes", found)
    await say(archive, "apples", "and plums")
    page = await archive.list_sessions("pears apples cherries", owner=LOCAL_OWNER)
    assert [session.session_id for session in page.sessions] == [found]
    assert (page.total, page.note) == (1, None)
    # The turn that has most of the words is shown.
    assert page.sessions[0].match == "apples and pears"


async def test_without_a_session_that_has_all_words_those_with_most_come_first(
    archive: Archive,
) -> None:
    await say(archive, "one word", "the capital")
    await say(archive, "two words", "the capital of Italy")
    await say(archive, "one word, later", "the capital")
    await say(archive, "no word", "nothing")

    page = await archive.list_sessions("Italian capital of yesterday", limit=2, owner=LOCAL_OWNER)
    rest = await archive.list_sessions(
        "Italian capital of yesterday", limit=2, before=page.next_before, owner=LOCAL_OWNER
    )

    assert titles(page) == ["two words", "one word, later"]
    assert titles(rest) == ["one word"]
    assert page.total == rest.total == 3
    assert page.note == "No session has all of these words; 3 have some, most of them first."


async def test_a_search_that_finds_nothing_says_among_how_many_sessions(archive: Archive) -> None:
    assert (
        await archive.list_sessions("pear", owner=LOCAL_OWNER)
    ).note == "Searched 0 sessions: none has this word."
    await say(archive, "apple", "")
    assert (
        await archive.list_sessions("pear", owner=LOCAL_OWNER)
    ).note == "Searched 1 session: none has this word."
    assert (await archive.list_sessions("a pear", owner=LOCAL_OWNER)).note == (
        "Searched 1 session: none has any of these words."
    )
    assert (
        await archive.list_sessions("!?", owner=LOCAL_OWNER)
    ).note == "Searched 1 session: none has this text."


async def test_only_so_many_words_are_looked_for_and_it_is_said(archive: Archive) -> None:
    words = [f"word{number}" for number in range(5000)]
    await say(archive, "many", " ".join(words))
    page = await archive.list_sessions(" ".join(words), owner=LOCAL_OWNER)
    assert titles(page) == ["many"]
    assert page.note == "Only the first 16 of the 5000 words were looked for."
    (long_word,) = (
        await archive.list_sessions("长" * 100_000 + " many", owner=LOCAL_OWNER)
    ).sessions
    assert long_word.title == "many"


async def test_a_session_is_listed_once_with_the_newest_of_its_matches(archive: Archive) -> None:
    session_id = await say(archive, "first tomato", "reply")
    await say(archive, "second tomato", "reply", session_id)
    (session,) = (await archive.list_sessions("tomato", owner=LOCAL_OWNER)).sessions
    assert session.match == "second tomato"


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Crème brûlée", "creme BRULEE"),
        ("ΑΘΗΝΑ", "αθηνα"),
        ("我们用数据库保存对话", "数据库"),
        ("データベースを使う", "ベース"),
        ("데이터베이스를 사용", "데이터베이스"),
        ("ภาษาไทยง่าย", "ไทย"),
        ("see foo_bar.baz()", "foo_bar.baz"),
        ("C++ and C#", "c++"),
        ("before\x00after", "after"),
        ("refactoring migrations", "migration"),
        ("it's", "it's"),
        ("error 0x80070005", "0x80070005"),
        ("mixed 混合 text", "混合 text"),
    ],
)
async def test_words_are_found_in_any_script(archive: Archive, text: str, query: str) -> None:
    await say(archive, "other", text)
    await say(archive, "unrelated", "nothing of it")
    assert titles(await archive.list_sessions(query, owner=LOCAL_OWNER)) == ["other"]


async def test_a_search_is_paged_like_the_list(archive: Archive) -> None:
    for number in range(5):
        await say(archive, f"session {number}", "a needle")
        await say(archive, f"hay {number}", "a straw")

    first = await archive.list_sessions("needle", limit=3, owner=LOCAL_OWNER)
    second = await archive.list_sessions(
        "needle", limit=3, before=first.next_before, owner=LOCAL_OWNER
    )

    assert titles(first) == ["session 4", "session 3", "session 2"]
    assert titles(second) == ["session 1", "session 0"]
    assert (first.total, second.total, second.next_before) == (5, 5, None)


async def test_a_blank_query_lists_everything(archive: Archive) -> None:
    await say(archive, "hello", "hi!!")
    assert (await archive.list_sessions("  ", owner=LOCAL_OWNER)).total == 1


@pytest.mark.parametrize("query", ["!!", "(x)[0]", "…", '"', "\u0301", "😀", "%", "€", "C++"])
async def test_what_has_no_word_is_searched_for_as_it_is(archive: Archive, query: str) -> None:
    await say(archive, "found", f"before{query}after and {query}")
    await say(archive, query, "a title")
    await say(archive, "unrelated", "C and x, one two")
    page = await archive.list_sessions(query, owner=LOCAL_OWNER)
    assert sorted(titles(page)) == sorted(["found", query])
    assert all(query in (session.match or "") for session in page.sessions)


async def test_the_index_stays_in_step_with_titles_forks_and_deletions(archive: Archive) -> None:
    session_id = await say(archive, "walnut", "hazelnut")
    fork = (await archive.fork_session(session_id, owner=LOCAL_OWNER)).session_id
    assert (await archive.list_sessions("hazelnut", owner=LOCAL_OWNER)).total == 2
    await archive.update_session(session_id, title="almond", owner=LOCAL_OWNER)
    await archive.update_session(session_id, title="chestnut", owner=LOCAL_OWNER)
    assert (await archive.list_sessions("almond", owner=LOCAL_OWNER)).total == 0
    await archive.delete_session(session_id, owner=LOCAL_OWNER)
    assert (await archive.list_sessions("chestnut", owner=LOCAL_OWNER)).total == 0
    assert [
        session.session_id
        for session in (await archive.list_sessions("walnut", owner=LOCAL_OWNER)).sessions
    ] == [fork]


async def test_a_damaged_search_index_is_built_anew_and_the_archive_stays(
    archive: Archive, path: Path
) -> None:
    session_id = await say(archive, "walnut", "hazelnut " * 3000)
    await archive.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM search_data WHERE id > 10")
        connection.commit()

    page = await archive.list_sessions("hazelnut", owner=LOCAL_OWNER)

    assert [session.session_id for session in page.sessions] == [session_id]
    assert archive.notice() is None


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of six rows are common, and three sessions are counted."""
    monkeypatch.setattr(walking, "_COMMON_ROWS", 5)
    monkeypatch.setattr(walking, "COUNTED_SESSIONS", 3)


@pytest.mark.usefixtures("few_are_many")
async def test_of_a_common_word_the_newest_sessions_are_counted_and_it_is_said_that_more_match(
    archive: Archive,
) -> None:
    for number in range(8):
        await say(archive, f"session {number}", "an apple" if number % 2 else "apples and a pear")

    first = await archive.list_sessions("appl", limit=2, owner=LOCAL_OWNER)
    second = await archive.list_sessions(
        "appl", limit=2, before=first.next_before, owner=LOCAL_OWNER
    )
    last = await archive.list_sessions(
        "appl", limit=9, before=second.next_before, owner=LOCAL_OWNER
    )

    assert titles(first) + titles(second) == [f"session {number}" for number in (7, 6, 5, 4)]
    assert titles(last) == [f"session {number}" for number in (3, 2, 1, 0)]
    matches = [session.match for session in first.sessions]
    assert matches == ["an apple", "apples and a pear"]
    assert first.total == second.total == 3
    assert first.note == "More sessions match than the newest 3, which were counted."


@pytest.mark.usefixtures("few_are_many")
async def test_a_session_that_has_changed_since_comes_first_among_those_with_a_common_word(
    archive: Archive,
) -> None:
    oldest = await say(archive, "oldest", "an apple")
    for number in range(8):
        await say(archive, f"session {number}", "an apple")
    await say(archive, "pears", "none of it")
    await say(archive, "more", "apples", oldest)
    page = await archive.list_sessions("apple", limit=2, owner=LOCAL_OWNER)
    assert titles(page) == ["oldest", "session 7"]


@pytest.mark.usefixtures("few_are_many")
async def test_common_words_that_few_sessions_have_together_are_searched_for_everywhere(
    archive: Archive,
) -> None:
    both = await say(archive, "both", "an apple and a pear")
    for number in range(8):
        await say(archive, f"session {number}", "an apple" if number % 2 else "a pear")
    await say(archive, "more", "apple pear apple pear", both)
    page = await archive.list_sessions("apple pear", owner=LOCAL_OWNER)
    assert (titles(page), page.total, page.note) == (["both"], 1, None)


async def test_the_beginning_of_very_many_words_finds_all_of_them(archive: Archive) -> None:
    words = [f"conversation{number}" for number in range(60)]
    await say(archive, "many", " ".join(words))
    await say(archive, "one", words[-1])
    assert titles(await archive.list_sessions("conversation", owner=LOCAL_OWNER)) == ["one", "many"]
    assert titles(await archive.list_sessions("conversation59", owner=LOCAL_OWNER)) == [
        "one",
        "many",
    ]
    assert titles(await archive.list_sessions("conversation58", owner=LOCAL_OWNER)) == ["many"]
