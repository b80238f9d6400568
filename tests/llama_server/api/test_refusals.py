"""A refusal is named by llama-server's words and by what was sent, and by nothing else."""

import json
from typing import Any

import pytest

from llama_mcp.llama_server.api.refusals import error_from

PREFIX = "Unable to generate parser for this template. Automatic parser generation failed: "
JINJA = (
    PREFIX + "\n------------\nWhile executing CallExpression at line 1, column 195 in source:\n"
    "...x == 0) %}{{ raise_exception('Roles must alternate') }}...\n ^\n"
    "Error: Jinja Exception: Roles must alternate"
)
MINJA = "Roles must alternate at row 3, column 12:\n{{ raise_exception(...) }}\n     ^\n"
USER = {"role": "user", "content": "x"}
SCHEMA = {"response_format": {"type": "json_schema"}}


def told(status: int, message: str, **body: Any) -> str:
    content = json.dumps({"error": {"code": status, "message": message}}).encode()
    return str(error_from(status, content, {"messages": [USER], "stream": True, **body}))


@pytest.mark.parametrize(("status", "message"), [(400, JINJA), (500, MINJA)])
def test_a_template_that_refuses_is_named_with_its_words_and_what_was_sent(
    status: int, message: str
) -> None:
    text = told(status, message)
    assert "chat template refuses user: " in text and '"Roles must alternate"' in text
    assert '["--chat-template", "chatml"]' in text
    assert "system prompt" not in text and "json_schema" not in text
    text = told(status, message, messages=[{"role": "system", "content": "s"}, USER])
    assert "refuses system, user" in text
    assert "Put the system prompt into the message" in text


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Failed to initialize samplers: std::exception", "this model and build"),
        ("Failed to initialize samplers: failed to parse grammar", "Use a simpler one"),
        ("got exception: Unexpected empty grammar stack after x", "Use a simpler one"),
        (PREFIX + "JSON schema error at #: enum must not be empty", "at #: enum must not be"),
    ],
)
def test_a_grammar_that_fails_is_named_where_a_schema_was_sent_and_not_otherwise(
    message: str, expected: str
) -> None:
    text = told(400, message, **SCHEMA)
    assert expected in text and "json_schema" in text
    assert "parameter that it names" not in text and "Automatic parser" not in text
    assert "json_schema" not in told(400, message)


@pytest.mark.parametrize(
    ("status", "message", "body", "expected"),
    [
        (400, "request (9 tokens) exceeds the available context size", {}, "Begin a new session"),
        (500, "Context size has been exceeded.", {}, "Begin a new session"),
        (400, "Field 'n': Value must be between 1 and 2", {"n": 5}, "the parameter that it names"),
        (400, "bad", {"top_k": 5, **SCHEMA}, "Leave out top_k, json_schema, or change it"),
        (400, "bad", {}, "Look at its status"),
        (401, "Invalid API Key", {}, "API key"),
        (413, "Payload Too Large", {}, "Shorten the message"),
        (404, "File Not Found", {}, "newer llama.cpp"),
        (503, "Loading model", {}, "still loading"),
        (503, "Service Unavailable", {}, "Look at its status"),
        (500, "Compute error.", {}, "stop llama-server, then start"),
        (500, "image input is not supported - you may need to provide the mmproj", {}, "text only"),
    ],
)
def test_other_refusals_say_what_can_be_done(
    status: int, message: str, body: dict[str, Any], expected: str
) -> None:
    text = told(status, message, **body)
    assert expected in text
    assert f"(HTTP {status})" in text
