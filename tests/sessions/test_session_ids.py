import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import SessionAmbiguousError, SessionNotFoundError, shown_text
from llama_mcp.sessions.session_ids import (
    ALPHABET,
    is_whole,
    mint_session_id,
    parse_session_id,
)
from tests.sessions.talk import have_session, say

ID = "k7m2-q9x4-tbhz"


def test_a_thousand_ids_are_a_thousand_different_ones() -> None:
    assert len({mint_session_id() for _ in range(1_000)}) == 1_000


def test_an_id_has_more_than_55_bits_and_no_characters_that_look_alike() -> None:
    assert len(ALPHABET) ** 12 > 2**55
    assert not set(ALPHABET) & set("01oil")


def test_a_minted_id_is_a_whole_one() -> None:
    session_id = mint_session_id()
    assert parse_session_id(session_id) == session_id
    assert is_whole(session_id)


@pytest.mark.parametrize(
    "text",
    [
        f" {ID.upper()}\n",
        "k7m2q9x4tbhz",
        f'"{ID}"',
        f"`{ID}`",
        f"“{ID}”",
        f"<{ID}>",
        f"session_id={ID}",
        f"[session_id={ID}]",
        f"Session {ID}.",
        f"llama://sessions/{ID}",
        f"llama://sessions/{ID}.json",
        "k7m2‑q9x4–tbhz",
        "ｋ７ｍ２-q9x4-tbhz",
        "k7m2-q9x4-tbhz-",
    ],
)
def test_an_id_is_taken_however_it_is_written(text: str) -> None:
    assert parse_session_id(text) == ID


@pytest.mark.parametrize(
    ("text", "beginning"),
    [("k7m2", "k7m2"), ("K7M2-", "k7m2"), ("k7m2q", "k7m2-q"), ("k7m2-q9…", "k7m2-q9"), ("k", "k")],
)
def test_the_beginning_of_an_id_is_no_whole_one(text: str, beginning: str) -> None:
    assert parse_session_id(text) == beginning
    assert not is_whole(beginning)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "''",
        "-",
        "*",
        "%",
        "k7m2-q9x4-%",
        "../../etc/passwd",
        "k7m2-q9x4-tbhz/../x",
        "file:///etc/passwd",
        "k7m2-q9x4-tbhz-k7m2",
        "k7m2-q9x4-tbh1",
        "k7m2-q9x4-tbhz\x00",
        "' OR 1=1 --",
        "٣٣٣٣-٣٣٣٣-٣٣٣٣",
        "\ud83d",
    ],
)
async def test_anything_else_is_no_session(archive: Archive, text: str) -> None:
    assert parse_session_id(text) is None
    await have_session(archive, turns=1)
    with pytest.raises(SessionNotFoundError, match="The newest: .*message 1"):
        await archive.session(text, owner=LOCAL_OWNER)


@given(st.text(st.characters(), max_size=200))
def test_a_refusal_repeats_little_and_prints_cleanly(text: str) -> None:
    shown = shown_text(f"?{text}")
    assert len(shown) <= 41
    assert shown.isprintable()
    shown.encode()


async def test_an_unambiguous_beginning_names_its_session_everywhere(archive: Archive) -> None:
    session_id = await have_session(archive, turns=2)
    for beginning in (session_id[:2], session_id[:6], session_id[:-1].upper()):
        assert await archive.find_id(beginning, owner=LOCAL_OWNER) == session_id
    beginning = session_id[:4]
    assert (await archive.session(beginning, owner=LOCAL_OWNER)).session_id == session_id
    assert (await archive.turns(beginning, owner=LOCAL_OWNER)).session.session_id == session_id
    assert (await archive.last_turn(beginning, owner=LOCAL_OWNER)).turn == 2
    await archive.check_idle(beginning, owner=LOCAL_OWNER)
    assert (
        await archive.update_session(beginning, title="new", owner=LOCAL_OWNER)
    ).session_id == session_id
    assert (
        await archive.begin_turn(beginning, "on", owner=LOCAL_OWNER)
    ).session.session_id == session_id


async def test_deleting_by_the_beginning_of_an_id_deletes_that_session(archive: Archive) -> None:
    session_id = await have_session(archive, turns=1)
    assert (
        await archive.delete_session(session_id[:5], owner=LOCAL_OWNER)
    ).session_id == session_id


async def test_a_beginning_of_several_ids_is_refused_with_their_titles(archive: Archive) -> None:
    # So many that at least two begin alike: there are 28 characters.
    ids = [await say(archive, f"session number {number}", "reply") for number in range(29)]
    first = next(c for c in ALPHABET if sum(each.startswith(c) for each in ids) > 1)
    with pytest.raises(SessionAmbiguousError) as failure:
        await archive.session(first, owner=LOCAL_OWNER)
    named = [each for each in ids if each in str(failure.value)]
    assert len(named) > 1 and all(each.startswith(first) for each in named)
    assert f"{named[0]} (session number {ids.index(named[0])})" in str(failure.value)


async def test_the_number_of_a_row_is_not_taken_for_an_id(archive: Archive) -> None:
    session_id = await have_session(archive, turns=1)
    with pytest.raises(SessionAmbiguousError, match=session_id):
        await archive.delete_session(session_id[0], owner=LOCAL_OWNER)


async def test_a_mistyped_id_is_told_which_one_is_nearest(archive: Archive) -> None:
    session_id = await say(archive, "What is the capital of Italy?", "Rome.")
    await say(archive, "something else", "reply")
    wrong = session_id[:-1] + ("2" if session_id[-1] != "2" else "3")
    # Swapped characters that are the same would be no mistake.
    first = next(c for c in session_id[1:] if c not in (session_id[0], "-"))
    at = session_id.index(first)
    swapped = session_id[: at - 1] + first + session_id[at - 1] + session_id[at + 1 :]
    for text in (wrong, swapped):
        with pytest.raises(SessionNotFoundError) as failure:
            await archive.turns(text, owner=LOCAL_OWNER)
        told = str(failure.value)
        assert f"Nearest: {session_id} (What is the capital of Italy?)" in told
        assert "List the sessions to find it." in told


async def test_an_unknown_id_is_told_the_newest_sessions(archive: Archive) -> None:
    with pytest.raises(SessionNotFoundError, match="There is no session yet"):
        await archive.session(ID, owner=LOCAL_OWNER)
    for number in range(7):
        await say(archive, f"session {number}", "reply")
    with pytest.raises(SessionNotFoundError, match=r"The newest: .*\(session 6\), .*\(session 2\)"):
        await archive.session("not-an-id", owner=LOCAL_OWNER)
