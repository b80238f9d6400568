"""Every error class says what happened and what to do, in the words of whoever shows it."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llama_mcp import errors
from llama_mcp.errors import PLAIN_WORDS, LlamaMCPError, Step, in_words
from llama_mcp.llama_server.errors import CrashLoopError, ReplaceFailedError, StartFailedError
from llama_mcp.llama_server.status import NEXT_STEPS, ServerState
from llama_mcp.sessions.records import TurnUnderway
from llama_mcp.surface.failures import TOOL_WORDS

MODULES = [
    "cli.install.errors",
    "errors",
    "llama_server.errors",
    "llama_server.model_errors",
    "models.errors",
    "ranking.errors",
    "sessions.errors",
    "surface.http.errors",
    "tokens.errors",
    "turns.errors",
]
CAUSE = errors.InvalidArgumentError("cause", "is {Start} data", "Braces in it are no step.")
# What each parameter of a constructor is given here; all of it must be in the text.
GIVEN: dict[str, Any] = {
    "advice": "Do this.",
    "allowed": ["/allowed"],
    "are_alike": True,
    "beginning": "k7",
    "can_instead": True,
    "cause": CAUSE,
    "command": "/a/command",
    "count": 2,
    "counts": {"notes.md": 70},
    "difference": "its name is another",
    "differences": ["ctx_size (1, asked for 2)"],
    "done": 5,
    "elsewhere": ["It runs elsewhere."],
    "engine": "/an/engine",
    "evidence": ["a line of the log"],
    "file": Path("/models.toml"),
    "files": 2,
    "first_failure": "It fell {status}.",
    "faults": ["LLAMA_MCP_PORT cannot be 'x'."],
    "folder": "/a/folder",
    "holder": "a process",
    "instead": "talker (0.1 GiB)",
    "known": ["tiny (ready)", "other (stopped)"],
    "last_exit": "it ended",
    "limit": 6,
    "loading_seconds": 7.0,
    "looked": "nowhere",
    "meant": ["tiny-a", "tiny-b"],
    "minutes": 5.0,
    "most_bytes": 900,
    "model": "some-model",
    "model_ctx_size": 6000,
    "name": "big.log",
    "needed": "admin",
    "has": "chat",
    "next_step": "{Status} at once.",
    "old": "old-model",
    "others": {"9rst-vwxz-2345": "About pears"},
    "parameter": "some_parameter",
    "path": "/a/{stop}/path",
    "pictures": ["sea.png"],
    "pid": 4711,
    "port": 8080,
    "problem": "is odd",
    "problems": ["line 3: it is odd"],
    "prompt_limit": 100,
    "prompt_tokens": 200,
    "received": "some words",
    "running": "other-model",
    "said": "no such thing",
    "seconds": 10.0,
    "session_id": "k7m2-q9x4-tbhz",
    "sessions": ["k7m2-q9x4-tbhz"],
    "silent_seconds": 9.0,
    "source": "running",
    "some": {"k7m2-q9x4-tbhz": "About apples"},
    "staying": ["tiny (0.3 GiB) is in use", "other (0.1 GiB) is kept (keep = true)"],
    "text_bytes": 950,
    "times": 3,
    "turn": 2,
    "turns": 4,
    "underway": TurnUnderway(
        "k7m2-q9x4-tbhz", "About apples", "local", "2026-11-22T10:43:00.123Z", 4711
    ),
    "url": "http://127.0.0.1:1",
    "waiting_seconds": 7.0,
    "wanted": "wanted-model",
    "used": 12,
    "uses": ["two replies are being generated"],
    "what": "it died",
    "where": "a passing folder",
    "why": "It is locked.",
    "why_not_kept": "the disk keeps none of it",
    "window": 300,
}
# What is told of what is no text.
TOLD: dict[str, list[Any]] = {
    "are_alike": [],
    "can_instead": [],
    "count": [],
    "next_step": [],
    "source": [],
    "waiting_seconds": [],
    "underway": ["k7m2-q9x4-tbhz", "4711"],
}


def error_classes() -> Iterator[type[LlamaMCPError]]:
    for name in MODULES:
        module = importlib.import_module(f"llama_mcp.{name}")
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
        elif isinstance(value, dict):
            shown += [f"{session_id} ({title})" for session_id, title in value.items()]
        else:
            items = TOLD.get(name, value if isinstance(value, list) else [value])
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


def test_advice_comes_before_the_lines_of_a_log_also_when_one_error_led_to_another() -> None:
    first = StartFailedError("it died", "Do this.", ["a line of the log"])
    for error in (ReplaceFailedError(first, "old-model"), first):
        assert error.told(TOOL_WORDS).endswith("From its log:\n  a line of the log")
        assert "Do this." in error.told(TOOL_WORDS).partition("From its log:")[0]


def test_a_crash_loop_says_what_to_do_before_the_log_that_an_older_record_repeats() -> None:
    recorded = "It was killed. Lower it. Start it.\nFrom its log:\n  one\n  two"
    told = CrashLoopError(3, 5.0, recorded).told(TOOL_WORDS)
    assert told.endswith("then call start_llama_server.\nFrom its log:\n  one\n  two")


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
