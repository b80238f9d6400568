"""What is told of an engine that somebody else runs: where texts go, and what is not known."""

from dataclasses import replace

import pytest

from llama_mcp.errors import PLAIN_WORDS
from llama_mcp.llama_server.elsewhere.telling import (
    config_of,
    is_this_machine,
    log_of,
    missing_of,
    notes_on_url,
    status_of,
)
from llama_mcp.llama_server.remote.errors import RemoteUnreachableError
from llama_mcp.llama_server.remote.look import RemoteLook
from llama_mcp.llama_server.status import ServerState, SlotCount, with_step

TOLD = RemoteLook(
    url="https://gpu.example",
    is_reachable=True,
    problem=None,
    kind="llama-server",
    model="qwen",
    models=("qwen",),
    is_loading=False,
    ctx_size=8192,
    ctx_size_source="told",
    total_slots=4,
    total_slots_source="told",
    counting="input_tokens",
    has_slots=True,
    has_metrics=True,
    has_timings=True,
    build="b11434",
    model_ctx_size=32768,
    sees_pictures=False,
    asked_seconds_ago=0.0,
)
BARE = replace(
    TOLD,
    kind="openai",
    ctx_size_source="guess",
    total_slots_source="guess",
    counting="estimate",
    has_slots=False,
    has_metrics=False,
    has_timings=False,
    build=None,
)
GONE = replace(
    BARE, kind=None, problem=RemoteUnreachableError("https://gpu.example", "it refuses"), model=None
)


def test_one_that_answers_is_ready_and_is_said_to_be_somebody_elses() -> None:
    status = status_of(TOLD, "qwen", SlotCount(total=4, busy=1))
    assert status.state is ServerState.READY and status.engine is not None
    assert (status.engine.kind, status.engine.version) == ("remote", "b11434")
    assert "somebody else runs" in status.message and "8192 tokens" in status.message
    assert status.pid is None and status.port is None and status.memory_bytes is None


def test_what_it_does_not_tell_is_named() -> None:
    assert missing_of(TOLD) == ["log", "memory"]
    assert missing_of(BARE) == [
        *("slots", "metrics", "timings", "ctx_size", "token_counts", "log", "memory")
    ]
    assert missing_of(GONE) == []


def test_a_guess_is_said_to_be_one() -> None:
    status = status_of(BARE, "qwen", None)
    assert "which is a guess" in status.message
    assert any("estimated" in note for note in status.notes or [])


def test_one_that_does_not_answer_proposes_no_stop() -> None:
    told = with_step(status_of(GONE, "", None), PLAIN_WORDS)
    assert told.state is ServerState.UNRESPONSIVE and "was not reached" in told.message
    assert "stop" not in told.message


def test_one_whose_model_is_not_loaded_is_starting() -> None:
    status = status_of(replace(TOLD, is_loading=True), "qwen", None)
    assert status.state is ServerState.STARTING and "to load" in status.message


def test_settings_are_those_that_count_there() -> None:
    config = config_of(TOLD, "qwen", ["A setting is odd."])
    assert (config.url, config.url_model, config.ctx_size, config.parallel) == (
        *("https://gpu.example", "qwen"),
        *(8192, 4),
    )
    assert config.running and config.notes[0] == "A setting is odd."
    assert not config_of(GONE, "", []).running


def test_its_log_is_with_who_runs_it() -> None:
    note = log_of("https://gpu.example", "qwen").note or ""
    assert "qwen" in note and "https://gpu.example" in note


@pytest.mark.parametrize(
    ("url", "leaves", "is_open"),
    [
        ("http://127.0.0.1:8080", False, False),
        ("http://localhost:8080", False, False),
        ("http://[::1]:8080", False, False),
        ("https://gpu.example", True, False),
        ("http://gpu.example:8080", True, True),
        ("http://10.0.0.7:8080", True, True),
        ("http://localhost.example", True, True),
    ],
)
def test_that_texts_leave_this_machine_is_said_and_that_they_go_unencrypted(
    url: str, leaves: bool, is_open: bool
) -> None:
    notes = " ".join(notes_on_url(url))
    assert ("leave this machine" in notes) == leaves
    assert ("unencrypted" in notes) == is_open


def test_only_loopback_is_certainly_this_machine() -> None:
    assert is_this_machine("127.8.9.1") and is_this_machine("box.localhost")
    assert not is_this_machine("0.0.0.0") and not is_this_machine("127.0.0.1.example")
