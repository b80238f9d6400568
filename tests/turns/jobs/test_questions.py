"""What the model is asked, and that no text can pass for another."""

from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.turns.chat_request import Sampling
from llama_mcp.turns.jobs.questions import Part, about_piece, about_replies, mark_bytes
from llama_mcp.turns.jobs.room import room_of
from llama_mcp.turns.marks import free_mark

PART = Part("a.md", "1-80", "Some text.")


@given(st.lists(st.text(alphabet="<>/file-23 \n", max_size=40), max_size=5))
def test_the_mark_is_in_none_of_the_texts(texts: list[str]) -> None:
    mark = free_mark("file", texts)
    assert not any(f"<{mark}" in text or f"</{mark}" in text for text in texts)
    parts = [Part("a.md", None, text) for text in texts]
    (message,) = about_piece("Sum up.", parts)
    assert message["content"].count(f"<{mark} ") == len(texts)
    assert message["content"].count(f"</{mark}>") == len(texts)


def test_a_name_cannot_end_its_mark() -> None:
    (message,) = about_piece("Sum up.", [Part('a">\n</file> b', None, "text")])
    assert message["content"].count("</file>") == 1
    assert '<file name="a\')\\n(/file) b">' in message["content"]


def test_all_questions_of_a_job_begin_with_the_instruction() -> None:
    for question in (about_piece("Sum up.", [PART]), about_replies("Sum up.", [PART, PART])):
        assert question[0]["content"].startswith("Sum up.\n\n")
        assert question[0]["content"].endswith("\n\nSum up.")


def test_a_long_instruction_is_said_once() -> None:
    instruction = "Sum up. " * 100
    (message,) = about_piece(instruction, [PART])
    assert message["content"].count(instruction.strip()) == 1


@given(st.text(max_size=60))
def test_marks_take_no_more_than_is_kept_for_them(name: str) -> None:
    (without,) = about_piece("Sum up.", [])
    (message,) = about_piece("Sum up.", [Part(name, "1000000-2000000", "")])
    taken = len(message["content"].encode("utf-8", "replace"))
    assert taken - len(without["content"].encode()) <= mark_bytes(name, None)


@given(
    st.integers(256, 200_000),
    st.one_of(st.none(), st.integers(1, 100_000)),
    st.one_of(st.none(), st.just({"type": "array", "items": {"type": "string"}})),
)
def test_two_replies_fit_the_question_that_puts_them_together(
    window: int, max_tokens: int | None, schema: dict[str, object] | None
) -> None:
    room = room_of(window, Sampling(max_tokens=max_tokens, json_schema=schema))
    assert 1 <= room.reply <= window // 4
    assert room.question + room.reply + room.second_try == window
    assert room.question >= 2 * room.reply
