"""Marks that no text of others can imitate."""

from llama_mcp.turns.marks import free_mark


def test_marks_that_only_differ_in_case_or_go_on_are_avoided_too() -> None:
    text = "<file " + " ".join(f"<FILE-{number}>" for number in range(2, 5000))
    assert free_mark("file", [text]) == "file-5000"
    assert free_mark("file", ["</file-23>"]) == "file-3"


def test_the_word_itself_is_taken_where_no_text_has_it() -> None:
    assert free_mark("file", ["no mark", "file-2"]) == "file"
