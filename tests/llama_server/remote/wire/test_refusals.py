"""What engines mean when they refuse, by their own words."""

import json
from datetime import UTC, datetime

import pytest

from llama_mcp.llama_server.remote.wire.refusals import refusal_from, retry_after_seconds

LLAMA_SERVER = {
    "error": {
        "code": 400,
        "message": "the request exceeds the available context size, try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 5000,
        "n_ctx": 4096,
    }
}


@pytest.mark.parametrize(
    ("said", "window", "prompt"),
    [
        (json.dumps(LLAMA_SERVER), 4096, 5000),
        (
            "request (5000 tokens) exceeds the available context size (4096 tokens), try "
            "increasing it",
            4096,
            5000,
        ),
        (
            "This model's maximum context length is 4096 tokens. However, you requested 5100 "
            "tokens (5000 in the messages, 100 in the completion). Please reduce the length.",
            4096,
            5000,
        ),
        (
            "This model's maximum context length is 4,096 tokens. However, your messages resulted "
            "in 5,000 tokens.",
            4096,
            5000,
        ),
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum "
            "context length is 4096 tokens and your request has 100 input tokens",
            4096,
            100,
        ),
        (
            "You passed 5000 input tokens and requested 100 output tokens. However, the model's "
            "context length is only 4096 tokens, resulting in a maximum input length of 3996.",
            4096,
            5000,
        ),
        (
            "This model's maximum context length is 4096 tokens. However, you requested 100 output "
            "tokens and your prompt contains at least 5000 input tokens, for a total of 5100.",
            4096,
            5000,
        ),
        (
            "The prompt (total length 5000) is too long to fit into the model (context length "
            "4096). Make sure that `max_model_len` is no smaller.",
            4096,
            5000,
        ),
        (
            "litellm.ContextWindowExceededError: litellm.BadRequestError: OpenAIException - This "
            "model's maximum context length is 4096 tokens. However, your messages resulted in "
            "5000 tokens.",
            4096,
            5000,
        ),
        (
            "Requested token count exceeds the model's maximum context length of 4096 tokens. You "
            "requested a total of 5100 tokens: 5000 tokens from the input messages and 100 tokens "
            "for the completion.",
            4096,
            5000,
        ),
        (
            "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
            4096,
            5000,
        ),
        (
            "Input length (5000 tokens) exceeds the maximum allowed length (4096 tokens).",
            4096,
            5000,
        ),
        ("the input length exceeds the context length", None, None),
        ("prompt too long; exceeded max context length by 904 tokens", None, None),
        (
            "The number of tokens to keep from the initial prompt is greater than the context "
            "length (n_keep: 5000>= n_ctx: 4096). Try to load the model with a larger one.",
            4096,
            5000,
        ),
        (
            "Trying to keep the first 5000 tokens when context the overflows. However, the model "
            "is loaded with context length of only 4096 tokens, which is not enough.",
            4096,
            5000,
        ),
        ("prompt is too long: 5000 tokens > 4096 maximum", 4096, 5000),
        ("prompt token count of 5000 exceeds the limit of 4096", 4096, 5000),
        ("Your request exceeded model token limit: 4096 (requested: 5000)", 4096, 5000),
        (
            "Prompt contains 5000 tokens and 0 draft tokens, too large for model with 4096 maximum "
            "context length",
            4096,
            5000,
        ),
        (
            "This model configuration accepts at most 4096 combined input and output tokens. "
            "However, your request has 5000 input tokens and asks for 100.",
            4096,
            5000,
        ),
        ("Prompt too long: 5000 tokens exceeds max context window of 4096 tokens", 4096, 5000),
        ("context_length_exceeded", None, None),
        (
            "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
            4096,
            5000,
        ),
    ],
)
def test_a_prompt_that_is_too_long_is_recognised_with_its_numbers(
    said: str, window: int | None, prompt: int | None
) -> None:
    refusal = refusal_from(400, said.encode())
    assert refusal.is_too_long
    assert (refusal.window, refusal.prompt_tokens) == (window, prompt)


@pytest.mark.parametrize(
    ("status", "body", "names"),
    [
        (400, {"error": {"message": "Unrecognized request argument supplied: top_k"}}, ["top_k"]),
        (
            422,
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "min_p"], "msg": "Extra "}]},
            [],
        ),
        (
            422,
            {"detail": [{"loc": ["body", "min_p"], "msg": "Extra inputs are not permitted"}]},
            ["min_p"],
        ),
        (
            422,
            {
                "detail": [
                    {
                        "loc": ["body", "min_p"],
                        "msg": "Extra inputs are not permitted",
                        "input": {"top_k": 5, "min_p": 0.1},
                    }
                ]
            },
            ["min_p"],
        ),
        (
            400,
            {"error": {"message": "top_k and min_p: Unsupported parameter", "param": "top_k"}},
            ["top_k"],
        ),
        (400, {"error": {"message": "top_k must be positive"}}, []),
        (500, {"error": {"message": "unknown field top_k"}}, []),
        (400, {"error": {"message": "maximum context length is 5, top_k not supported"}}, []),
    ],
)
def test_a_field_counts_as_unknown_only_where_that_is_said(
    status: int, body: object, names: list[str]
) -> None:
    refusal = refusal_from(status, json.dumps(body).encode())
    assert refusal.unknown_fields(["top_k", "min_p", "k"]) == names


NOW = datetime(2026, 11, 27, 20, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("Fri, 27 Nov 2026 20:01:00 GMT", 60.0),
        ("Fri, 27 Nov 2026 19:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("", None),
        (None, None),
        ("9" * 400, None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"error": "plain words"}', "plain words"),
        (b'{"error": {"message": "two\\nlines"}}', "two lines"),
        (b'{"detail": [{"msg": "odd"}]}', '[{"msg": "odd"}]'),
        (b"<html><body>Bad gateway</body></html>", "a web page instead of an answer"),
        (b"", "no reason"),
        (b'{"error": {"message": "\\u001b[31mred"}}', "\\x1b[31mred"),
        (b"[" * 5000, "[" * 600 + "…"),
        (b"\xff\xfe", "��"),
    ],
)
def test_what_is_said_is_found_in_any_form(content: bytes, said: str) -> None:
    assert refusal_from(502, content).shown == f"{said} (HTTP 502)"
