"""Every error class says what happened and what to do, in the words of whoever shows it."""

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from llama_mcp import errors
from llama_mcp.errors import PLAIN_WORDS, LlamaMCPError, Step, in_words
from llama_mcp.llama_server.status import NEXT_STEPS, ServerState
from llama_mcp.surface.failures import TOOL_WORDS

ROOMS = ["", ".llama_server", ".models", ".sessions", ".turns"]
CAUSE = errors.InvalidArgumentError("cause", "is {Start} data", "Braces in it are no step.")
# What each parameter of a constructor is given here; all of it must be in the text.
GIVEN: dict[str, Any] = {
    "advice": "Do this.",
    "allowed": ["/allowed"],
    "cause": CAUSE,
    "differences": ["ctx_size (1, asked for 2)"],
    "evidence": ["a line of the log"],
    "first_failure": "It fell {status}.",
    "folder": "/a/folder",
    "holder": "a process",
    "last_exit": "it ended",
    "loading_seconds": 7.0,
    "looked": "nowhere",
    "minutes": 5.0,
    "model": "some-model",
    "next_step": "{Status} at once.",
    "old": "old-model",
    "parameter": "some_parameter",
    "path": "/a/{stop}/path",
    "pid": 4711,
    "port": 8080,
    "problem": "is odd",
    "prompt_limit": 100,
    "prompt_tokens": 200,
    "received": "some words",
    "running": "other-model",
    "session_id": "k7m2-q9x4-tbhz",
    "silent_seconds": 9.0,
    "times": 3,
    "turn": 2,
    "turns": 4,
    "url": "http://127.0.0.1:1",
    "users": "two others use it",
    "what": "it died",
    "window": 300,
}


def error_classes() -> Iterator[type[LlamaMCPError]]:
    for room in ROOMS:
        module = importlib.import_module(f"llama_mcp{room}.errors")
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, LlamaMCPError) and kind.__module__ == module.__name__:
                yield kind


KINDS = [kind for kind in error_classes() if kind is not LlamaMCPError]


def made(kind: type[LlamaMCPError]) -> tuple[LlamaMCPError, list[str]]:
    """Return an error of the kind, and what it was given, as it should be told."""
    names = list(inspect.signature(kind).parameters)
    values = {name: GIVEN[name] for name in names}
    shown: list[str] = []
    for name, value in values.items():
        if name == "cause":
            shown.append(CAUSE.situation)
        elif name != "next_step":
            items = value if isinstance(value, list) else [value]
            shown += [f"{item:.0f}" if isinstance(item, float) else str(item) for item in items]
    return kind(**values), shown


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_tells_all_that_it_was_given_and_ends_with_what_to_do(
    kind: type[LlamaMCPError],
) -> None:
    error, given = made(kind)
    for words in (TOOL_WORDS, PLAIN_WORDS):
        text = error.told(words)
        assert all(piece in text for piece in given), text
        assert "  " not in text.replace("\n  ", "\n") and ".." not in text
        for step in error.next:
            assert words[step][1:] in text
    assert str(error) == error.told(PLAIN_WORDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_error_knows_a_tool_by_name_before_the_desk_says_it(kind: type[LlamaMCPError]) -> None:
    error, _ = made(kind)
    tools = ["start_llama_server", "stop_llama_server", "wait_for_reply", "cancel_reply"]
    assert not [name for name in tools if name in str(error)]
    if Step.START in error.next:
        assert "start_llama_server" in error.told(TOOL_WORDS)


def test_what_an_error_was_given_is_never_taken_for_a_step() -> None:
    assert "is {Start} data" in CAUSE.told(TOOL_WORDS)


@pytest.mark.parametrize("words", [TOOL_WORDS, PLAIN_WORDS])
def test_every_door_has_words_for_every_step(words: errors.Words) -> None:
    assert set(words) == set(Step)
    for state, template in NEXT_STEPS.items():
        assert state in ServerState and in_words(template, words).endswith(".")


def test_a_step_begins_a_sentence_with_a_capital() -> None:
    assert in_words("{Stop}, then {start}.", TOOL_WORDS) == (
        "Call stop_llama_server, then call start_llama_server."
    )
