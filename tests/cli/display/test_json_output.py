"""JSON that programs read and terminals can show."""

import json

from llama_mcp.cli.display.json_output import json_document


def test_a_document_means_the_same_and_is_harmless() -> None:
    data = {"title": "\x1b]0;evil\x07 \u202eright", "count": 1}
    document = json_document(data)
    assert json.loads(document) == data
    assert "\x1b" not in document and "\u202e" not in document and document.endswith("\n")


def test_a_document_on_one_line_has_one_line_end() -> None:
    assert json_document({"a": ["b", "c\nd"]}, indent=None).count("\n") == 1
