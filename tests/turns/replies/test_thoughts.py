"""Thoughts in the text of a reply are parted from it; a reply that speaks of such tags is not."""

import pytest

from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.replies.thoughts import TAGS, part_thoughts

ANALYSIS = (
    "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes"
)


def received(*pieces: str) -> PartialReply:
    """Return a reply that came in these pieces."""
    reply = PartialReply()
    for piece in pieces:
        reply.take({"choices": [{"delta": {"content": piece}}]})
    reply.take({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    return reply


@pytest.mark.parametrize(
    ("text", "thoughts", "answer"),
    [
        *((f"{tag}Hm.{end}\n\nYes", "Hm.", "Yes") for tag, end in TAGS.items()),
        (ANALYSIS, "Hm.", "Yes"),
        ("\n<think>\nHm.\n</think>\nYes", "Hm.\n", "Yes"),
        ("<think>\n\n</think>\n\nYes", "", "Yes"),
        ("<think>Hm", "Hm", ""),
        ("<think>Hm</thi", "Hm</thi", ""),
        ("<|channel|>final<|message|>Yes", "", "Yes"),
        # The opening tag is in the template.
        ("Hm.\n</think>\n\nYes", "Hm.", "Yes"),
        ("Hm.</think>Yes", "Hm.", "Yes"),
        ("Hm</think>Yes", "Hm", "Yes"),
        ("</think>\n\nYes", "", "Yes"),
        ("It is easy. </think> Yes", "It is easy.", "Yes"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_thoughts_are_parted_however_they_are_cut_into_chunks(
    text: str, thoughts: str, answer: str, size: int
) -> None:
    reply = received(*(text[at : at + size] for at in range(0, len(text), size)))
    assert (reply.text, reply.reasoning) == (answer, thoughts)
    assert part_thoughts(text)[1] == answer


@pytest.mark.parametrize(
    "text",
    [
        "Yes",
        " <b>bold</b>",
        "<thin",
        "Models think between <think> and </think> tags.",
        "The tag `</think>` ends thoughts.",
        'Write "</think>" at the end.',
        "```xml\n<think>Hm.</think>\n```",
        "Like so:\n\n```\nHm.\n</think>\n```\n",
        "Close it with </think> and go on.",
        "Like this: <think>Hm.</think> and so on.",
        "[1, 2]",
        '{"a": "<think>x</think>"}',
        "   ",
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_a_reply_that_only_speaks_of_tags_is_not_touched(text: str, size: int) -> None:
    reply = received(*(text[at : at + size] for at in range(0, len(text), size)))
    assert (reply.text, reply.reasoning) == (text, "")
    assert part_thoughts(text) == ("", text)


def test_thoughts_that_llama_server_parts_are_not_parted_again() -> None:
    reply = PartialReply()
    reply.take({"choices": [{"delta": {"reasoning_content": "Hm."}}]})
    reply.take({"choices": [{"delta": {"content": "<think> is a tag.</think>"}}]})
    reply.end()
    assert (reply.text, reply.reasoning) == ("<think> is a tag.</think>", "Hm.")


def test_who_counts_pieces_gets_each_of_the_answer_once() -> None:
    reply = PartialReply()
    for piece in ("Hm.", "\n</think>\n"):
        reply.take({"choices": [{"delta": {"content": piece}}]})
    counted = len(reply.pieces)
    reply.take({"choices": [{"delta": {"content": "Yes"}, "finish_reason": "stop"}]})
    assert "".join(reply.pieces[counted:]) in ("Yes", "YesYes")
    assert reply.text == "Yes"
