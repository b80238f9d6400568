"""Pages of a session: together they have everything, and each fits a frame."""

import json
from typing import Any

import pytest

from llama_mcp.observing.lean_data import structure_of
from llama_mcp.sessions.records import ArchivedTurn, TurnStatus
from llama_mcp.sessions.transcript import transcript
from llama_mcp.surface.results.pages import page_of, turns_before
from llama_mcp.surface.sizes import MAX_FRAME_BYTES, cut_middle, fitting, wire_bytes
from tests.surface.results.test_transcripts import TIME, session

TEXTS = ("message", "reasoning", "reply")


def turn(number: int, **texts: str) -> ArchivedTurn:
    about = {"turn": number, "message": "?", "status": TurnStatus.COMPLETE, "started_at_utc": TIME}
    return ArchivedTurn.model_validate(about | texts)


def pages_of(turns: list[ArchivedTurn]) -> list[list[ArchivedTurn]]:
    pages, offset = [], 0
    while offset != len(turns):
        page, following, _ = page_of(turns[turns_before(offset) :], offset)
        assert page and following != offset
        pages.append(page)
        offset = following
    return pages


@pytest.mark.parametrize("character", ["x", "\x00", '"', "\n", "\u202e", "\U0001f600"])
def test_turns_of_any_size_are_all_there_and_every_page_fits_a_frame(character: str) -> None:
    turns = [
        turn(1, reply="short"),
        *(turn(number, message=character * 100_000) for number in range(2, 9)),
        turn(9, message=character * 900_000, reasoning="why", reply=character * 300_001),
        turn(10, reply="last"),
    ]
    joined: dict[int, dict[str, str]] = {}
    for page in pages_of(turns):
        data = json.dumps({"turns": [structure_of(one) for one in page]}, ensure_ascii=False)
        text = transcript(session(), page)
        assert wire_bytes(data) < MAX_FRAME_BYTES - 1_000_000
        assert wire_bytes(text) + wire_bytes(json.loads(data)) < MAX_FRAME_BYTES - 1_000_000
        for one in page:
            so_far = joined.setdefault(one.turn, dict.fromkeys(TEXTS, ""))
            for name in TEXTS:
                so_far[name] += getattr(one, name) or ""
    assert joined == {one.turn: {name: getattr(one, name) or "" for name in TEXTS} for one in turns}


def test_small_turns_share_a_page() -> None:
    turns = [turn(number, reply="x" * 1000) for number in range(1, 300)]
    assert pages_of(turns) == [turns]


def test_a_page_is_filled_by_what_is_read_bit_by_bit_as_by_all_at_once() -> None:
    turns = [turn(number, reply="x" * 1000) for number in range(1, 4000)]
    whole = page_of(turns, 0)
    shown, offset, used_bytes = page_of(turns[:100], 0)
    is_full = False
    while not is_full:
        more, offset, used_bytes = page_of(turns[offset : offset + 100], offset, used_bytes)
        shown += more
        is_full = len(more) < 100
    assert (shown, offset, used_bytes) == whole and len(shown) < len(turns)


@pytest.mark.parametrize(
    "value",
    [
        {"reply": "\x00" * 9_000_000},
        {"sessions": [{"system_prompt": "x" * 500_000}] * 50},
        [["\u202e" * 50_000] * 100],
    ],
)
def test_texts_that_are_too_long_for_a_result_are_cut_and_say_so(value: Any) -> None:
    fits = fitting(value, "; elsewhere is the rest")
    assert wire_bytes(fits) < MAX_FRAME_BYTES
    assert "[cut here, of " in json.dumps(fits) and "elsewhere is the rest]" in json.dumps(fits)


def test_a_result_that_fits_is_left_as_it_is() -> None:
    value = {"reply": "x" * 4_000_000, "notes": ["\x00"]}
    assert fitting(value) is value


def test_a_long_error_keeps_its_beginning_and_its_end() -> None:
    text = cut_middle("what happened" + "x" * 100_000 + "what to do", 1000)
    assert text.startswith("what happened") and text.endswith("what to do")
    assert len(text) < 1100 and "characters left out" in text
