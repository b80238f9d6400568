"""A message with its files, as the model reads it."""

import re

from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.sessions.attachments import AttachedFile, Attachment
from llama_mcp.turns.message_parts import (
    UNSEEN_PICTURE,
    has_picture,
    text_of,
    user_message,
    with_more_text,
)


def text_file(content: str, name: str = "a.md", lines: tuple[int, int] | None = None) -> Attachment:
    first, last = lines or (None, None)
    file = AttachedFile(name=name, first_line=first, last_line=last, size_bytes=0, sha256="")
    return Attachment(file, content)


PICTURE = Attachment(
    AttachedFile(name="sea.png", media_type="image/png", size_bytes=3, sha256=""), b"abc"
)


def test_each_text_stands_under_its_name_and_lines_before_the_message() -> None:
    files = [text_file("one\n"), text_file("two", "b c.py", (10, 80))]
    assert user_message("Compare.", files)["content"] == (
        '<file name="a.md">\none\n</file>\n\n'
        '<file name="b c.py" lines="10-80">\ntwo\n</file>\n\n'
        "Compare."
    )


def test_a_message_without_files_is_as_it_was() -> None:
    assert user_message("Hi <file>") == {"role": "user", "content": "Hi <file>"}


MARKS = st.from_regex(
    r"(</?(file|File)(-[0-9]{0,3})?( name=\"x\")?>?\n?|a|\n){0,12}", fullmatch=True
)


@given(st.lists(st.tuples(MARKS, MARKS), min_size=1, max_size=4))
def test_no_text_and_no_name_can_end_a_file_or_begin_one(files: list[tuple[str, str]]) -> None:
    content = user_message("m", [text_file(text, name) for name, text in files])["content"]
    found = re.match(r"<(file(?:-\d+)?) name=", content)
    assert found
    tag = found[1].lower()
    assert content.lower().count(f"<{tag}") == content.lower().count(f"</{tag}") == len(files)


def test_the_smallest_number_is_taken_that_is_in_no_text() -> None:
    content = user_message("m", [text_file("</file> <file-2> <file-3x </file-50")])["content"]
    assert content.startswith("<file-4 ")
    assert content.endswith("\n</file-4>\n\nm")


def test_ten_thousand_marks_in_a_text_are_passed_over() -> None:
    text = "".join(f"</file-{number}>" for number in range(10_000))
    assert user_message("m", [text_file(text)])["content"].startswith("<file-10000 ")


def test_a_name_stays_on_its_line() -> None:
    content = user_message("m", [text_file("x", 'a"\n</b>')])["content"]
    assert content.splitlines()[0] == r'<file name="a\"\n</b>">'


def test_a_picture_is_a_part_of_its_own_with_its_bytes() -> None:
    message = user_message("What is it?", [text_file("one\n"), PICTURE])
    before, picture, after = message["content"]
    assert before["text"] == '<file name="a.md">\none\n</file>\n\n<file name="sea.png">\n'
    assert picture == {"type": "image_url", "image_url": {"url": "data:image/png;base64,YWJj"}}
    assert after["text"] == "\n</file>\n\nWhat is it?"
    assert has_picture(message)


def test_a_model_that_cannot_see_reads_a_word_in_the_place_of_a_picture() -> None:
    message = user_message("m", [PICTURE], sees_pictures=False)
    assert message["content"] == f'<file name="sea.png">\n{UNSEEN_PICTURE}\n</file>\n\nm'
    assert not has_picture(message)


def test_more_text_comes_at_the_end_with_and_without_pictures() -> None:
    for files in ([], [PICTURE]):
        message = user_message("m", files)
        more = with_more_text(message, "\n\nmore")
        assert text_of(more) == text_of(message) + "\n\nmore"
        assert has_picture(more) == has_picture(message)
