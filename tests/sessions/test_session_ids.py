import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.sessions.errors import SessionNotFoundError
from llama_mcp.sessions.session_ids import ALPHABET, check_session_id, mint_session_id


def test_a_thousand_ids_are_a_thousand_different_ones() -> None:
    assert len({mint_session_id() for _ in range(1_000)}) == 1_000


def test_an_id_has_more_than_55_bits_and_no_characters_that_look_alike() -> None:
    assert len(ALPHABET) ** 12 > 2**55
    assert not set(ALPHABET) & set("01oil")


def test_a_minted_id_is_accepted_with_spaces_around_it_and_in_upper_case() -> None:
    session_id = mint_session_id()
    assert check_session_id(session_id) == session_id
    assert check_session_id(f" {session_id.upper()}\n") == session_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "%",
        "k7m2-q9x4-%",
        "../../etc/passwd",
        "k7m2-q9x4-tbhz/../x",
        "llama://sessions/k7m2-q9x4-tbhz",
        "file:///etc/passwd",
        "k7m2q9x4tbhz",
        "k7m2-q9x4-tbhz-k7m2",
        "k7m2-q9x4-tbh1",
        "k7m2-q9x4-tbhz\x00",
        "' OR 1=1 --",
        "٣٣٣٣-٣٣٣٣-٣٣٣٣",
    ],
)
def test_anything_else_is_no_session(text: str) -> None:
    with pytest.raises(SessionNotFoundError):
        check_session_id(text)


@given(st.text(st.characters(), max_size=200))
def test_a_refusal_repeats_little_and_prints_cleanly(text: str) -> None:
    with pytest.raises(SessionNotFoundError) as failure:
        check_session_id(f"?{text}")
    assert len(failure.value.session_id) <= 41
    assert failure.value.session_id.isprintable()
    str(failure.value).encode()
