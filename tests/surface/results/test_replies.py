"""What a caller is told of a reply, and what it was told before."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.types import CallToolResult

from llama_mcp.sessions.attachments import SaveTo
from llama_mcp.sessions.records import Receipt, Timing, TurnStatus, Usage
from llama_mcp.surface.results.replies import KEPT_SESSIONS, NOTHING, RECEIPT, Telling
from llama_mcp.surface.tools.links import with_link
from llama_mcp.turns.replies.reply import ChatReply, ContextUse
from llama_mcp.turns.slot_queue import Place
from tests.support.client_process import text_of

SESSION = "k7m2-q9x4-tbhz"
USAGE = Usage(prompt_tokens=14, cached_tokens=0, completion_tokens=18)
JSON = {"json_schema": {"type": "object"}}


def reply_of(text: str, status: TurnStatus = TurnStatus.IN_PROGRESS, **facts: Any) -> ChatReply:
    known: dict[str, Any] = {"session_id": SESSION, "turn": 1, "reply": text, "usage": USAGE}
    known |= {"context": ContextUse(tokens_used=32, limit=1024)}
    return ChatReply(status=status, **{**known, **facts})


def whole(text: str, **facts: Any) -> ChatReply:
    timing = Timing(tokens_per_second=4396.7)
    return reply_of(text, TurnStatus.COMPLETE, **{"timing": timing, **facts})


def told(telling: Telling, reply: ChatReply) -> dict[str, Any]:
    """Tell what is new, and return the structure."""
    return structure(telling.tell(reply, telling.so_far))


def structure(result: CallToolResult) -> dict[str, Any]:
    content = result.structured_content
    assert isinstance(content, dict)
    return content


@given(st.lists(st.text(max_size=20), max_size=8))
def test_what_is_told_of_a_growing_reply_is_all_of_it_and_nothing_twice(
    pieces: Sequence[str],
) -> None:
    telling, text, heard = Telling(), "", ""
    for piece in pieces:
        text += piece
        heard += told(telling, reply_of(text))["reply"]
    heard += told(telling, whole(text))["reply"]
    assert heard == text
    again = told(telling, whole(text))
    assert (again["status"], again["reply"]) == ("complete", "")


@pytest.mark.parametrize("status", TurnStatus)
def test_a_reply_is_told_however_it_ended(status: TurnStatus) -> None:
    assert told(Telling(), reply_of("It came.", status))["status"] == status.value


def test_a_part_says_after_what_it_goes_on_and_how_to_get_the_rest() -> None:
    telling = Telling()
    telling.tell(reply_of("One "), NOTHING)
    result = telling.tell(reply_of("One two "), telling.so_far)
    notes = [
        "Goes on after the 4 characters told before.",
        "The reply is still being generated; wait_for_reply gives the rest.",
    ]
    assert structure(result)["notes"] == notes
    shown = "".join(f"\nNote: {note}" for note in notes)
    line = f"[session_id={SESSION}, turn 1, in_progress, 18 reply tokens so far]"
    assert text_of(result) == f"two \n{line}{shown}"
    end = told(telling, whole("One two three"))
    assert end["reply"] == "three" and "read_session" in end["notes"][0]
    nothing = told(telling, whole("One two three"))
    assert nothing["notes"] == ["All of the reply was told before; read_session has it whole."]
    assert end["usage"] == USAGE.model_dump() and "usage" not in nothing


def test_two_calls_that_wait_at_once_are_both_told_the_end() -> None:
    telling = Telling()
    before = telling.so_far
    first, second = (telling.tell(whole("It is four."), before) for _ in range(2))
    assert structure(first)["reply"] == structure(second)["reply"] == "It is four."


def test_a_call_that_was_given_up_has_told_nothing() -> None:
    telling = Telling()
    before = telling.so_far
    assert told(telling, reply_of("One "))["reply"] == "One "
    # Its answer was never made, so what it would have told is told by the next.
    assert structure(telling.tell(reply_of("One two "), before))["reply"] == "One two "


def test_a_reply_that_is_begun_anew_is_told_from_its_beginning() -> None:
    telling = Telling()
    told(telling, reply_of("<think>Hm"))
    again = told(telling, whole("It is four."))
    assert again["reply"] == "It is four." and "notes" not in again


def test_another_turn_is_told_from_its_beginning() -> None:
    telling = Telling()
    told(telling, whole("It is four."))
    assert told(telling, whole("It is four.", turn=2))["reply"] == "It is four."


def test_a_note_is_told_once() -> None:
    telling = Telling()
    assert "capped" in told(telling, reply_of("", notes=["capped"]))["notes"]
    assert "capped" not in told(telling, reply_of("a", notes=["capped"]))["notes"]
    assert "cut off" in told(telling, whole("ab", notes=["capped", "cut off"]))["notes"]


def test_data_is_told_whole_and_once_and_never_as_text_too() -> None:
    telling = Telling()
    part = told(telling, reply_of('{"a": ', sampling=JSON))
    assert part["reply"] == "" and part["notes"] == [
        "The reply is still being generated; wait_for_reply gives the data once it is whole."
    ]
    end = told(telling, whole('{"a": null}', sampling=JSON, parsed={"a": None}))
    assert end["parsed"] == {"a": None} and "reply" not in end
    again = told(telling, whole('{"a": null}', sampling=JSON, parsed={"a": None}))
    assert again["reply"] == "" and "parsed" not in again
    # What was cut off is no data; the text is all that there is.
    assert told(Telling(), whole('{"a": ', sampling=JSON))["reply"] == '{"a": '
    assert told(Telling(), reply_of('{"a"', TurnStatus.CANCELLED, sampling=JSON))["reply"] == '{"a"'


def test_a_turn_that_waits_says_so_where_and_behind_whom_in_text_and_structure() -> None:
    result = Telling().tell(reply_of("", place=Place(2, ("a", "b")), usage=Usage()), NOTHING)
    note = "Waits for a slot, at place 2, behind a, b; wait_for_reply gives the reply."
    expected = {"session_id": SESSION, "turn": 1, "status": "waiting", "reply": "", "notes": [note]}
    assert structure(result) == expected
    assert text_of(result) == f"[session_id={SESSION}, turn 1, waiting]\nNote: {note}"


ONE = Usage(prompt_tokens=31, cached_tokens=0, completion_tokens=1)
GROWING = Usage(completion_tokens=12)
CUT_OFF = (
    "The reply was cut off, at the longest length allowed. Pass a larger max_tokens, or ask the "
    "model to go on."
)
STOPPED = "It was stopped from another llama-mcp process than its own."


@pytest.mark.parametrize(
    "reply",
    [
        whole("4"),
        whole("The capital of Italy is Rome. " * 20),
        reply_of("4", TurnStatus.COMPLETE, usage=ONE, finish_reason="length", notes=[CUT_OFF]),
        reply_of("", usage=Usage()),
        reply_of("The capital", usage=GROWING),
        reply_of("", usage=Usage(), place=Place(1, ("k7m2-q9x4-tbhj",))),
        reply_of("", TurnStatus.CANCELLED, usage=Usage(), context=ContextUse(), notes=[STOPPED]),
        reply_of("The capital of Italy is Rome. " * 2, TurnStatus.CANCELLED),
    ],
    ids=[
        *("short", "long", "cut off", "begun", "growing", "waiting"),
        *("cancelled while it waited", "cancelled"),
    ],
)
def test_the_structure_of_a_reply_is_hardly_longer_than_its_text(reply: ChatReply) -> None:
    telling = Telling()
    result = telling.tell(reply, NOTHING)
    assert_hardly_longer(result)
    assert_hardly_longer(telling.tell(reply, telling.so_far))


def assert_hardly_longer(result: CallToolResult) -> None:
    compact = json.dumps(structure(result), separators=(",", ":"), ensure_ascii=False)
    assert len(compact) <= 1.3 * len(text_of(result)), (compact, text_of(result))


def test_what_a_figure_counts_is_in_the_singular_for_one() -> None:
    context = ContextUse(tokens_used=2, limit=512, turns_dropped=1)
    usage = Usage(prompt_tokens=1, cached_tokens=0, completion_tokens=1)
    telling = Telling()
    first = text_of(telling.tell(reply_of("a", usage=usage), NOTHING))
    assert "1 reply token so far]" in first
    end = text_of(telling.tell(whole("ab", usage=usage, context=context), telling.so_far))
    assert "1 prompt token (0 of them from the cache), 1 reply token, " in end
    assert "1 turn left out]" in end and "the 1 character told before" in end


def test_an_unusual_end_is_in_text_and_structure_alike() -> None:
    result = Telling().tell(whole("x", finish_reason="content_filter"), NOTHING)
    assert structure(result)["finish_reason"] == "content_filter"
    assert "complete, finish_reason=content_filter, " in text_of(result)


def test_the_figures_that_programs_want_are_beside_the_result() -> None:
    receipt = Receipt.of(USAGE, queue_ms=0.5, reasoning_tokens=3)
    reply = whole("4", receipt=receipt, sampling={"seed": 1}, finish_reason="stop")
    result = Telling().tell(reply, NOTHING)
    assert result.meta == {
        RECEIPT: {
            "timing": {"tokens_per_second": 4396.7},
            "receipt": {
                "cached_tokens": 0,
                "recomputed_tokens": 14,
                "queue_ms": 0.5,
                "reasoning_tokens": 3,
            },
            "sampling": {"seed": 1},
        }
    }
    assert set(structure(result)) == {"session_id", "turn", "status", "reply", "usage", "context"}
    assert structure(result)["usage"]["reasoning_tokens"] == 3


def test_only_so_many_sessions_are_remembered() -> None:
    telling = Telling()
    for number in range(KEPT_SESSIONS + 1):
        told(telling, whole("4", session_id=str(number)))
    assert len(telling.so_far) == KEPT_SESSIONS
    assert told(telling, whole("4", session_id="0"))["reply"] == "4"
    assert told(telling, whole("4", session_id=str(KEPT_SESSIONS)))["reply"] == ""


TO_FILE: dict[str, Any] = {"save_to": SaveTo(path="/notes/a.md", folder="/notes")}


def test_of_a_reply_that_goes_to_a_file_no_text_is_told() -> None:
    telling = Telling()
    growing = told(telling, reply_of("It is", **TO_FILE))
    assert growing["reply"] == "" and "tells when it is written" in growing["notes"][0]
    result = telling.tell(whole("It is four.", saved_bytes=11, **TO_FILE), telling.so_far)
    assert structure(result)["saved_to"] == {"path": "/notes/a.md", "size_bytes": 11}
    assert "reply" not in structure(result) and "It is" not in text_of(result)


def test_data_that_is_in_a_file_is_not_told_as_data() -> None:
    facts: dict[str, Any] = {"parsed": {"n": 1}, "sampling": JSON, "saved_bytes": 8, **TO_FILE}
    saved = told(Telling(), whole('{"n": 1}', **facts))
    assert "parsed" not in saved and "reply" not in saved


def test_a_reply_that_was_not_written_is_told() -> None:
    telling = Telling()
    told(telling, reply_of("It is", **TO_FILE))
    assert told(telling, whole("It is four.", **TO_FILE))["reply"] == "It is four."


@pytest.mark.parametrize(
    ("characters", "version", "is_linked"),
    [(8001, "2026-07-28", True), (8001, "2025-03-26", False), (8000, "2026-07-28", False)],
)
def test_a_long_reply_is_linked_for_clients_that_know_links(
    characters: int, version: str, is_linked: bool
) -> None:
    telling, reply = Telling(), whole("x" * characters)
    for has_news in (True, False):
        result = with_link(telling.tell(reply, telling.so_far), reply, version)
        assert (len(result.content) == 2) == (is_linked and has_news)
