"""Every fault the stand-in can show: one field of `fake.json` each, to be combined freely."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Era = Literal["2024", "2025", "2026"]
Stage = Literal["", "accept", "headers", "body"]

HOLD_POLL_SECONDS = 0.02  # how soon what is held notices that it may go on

DEFAULT_TOKENS = (
    "The",
    " quick",
    " brown",
    " fox",
    " jumps",
    " over",
    " the",
    " lazy",
    " dog",
    ".",
)


@dataclass(frozen=True)
class Death:
    """How the process ends at a token: by its own signal, or else with an exit code."""

    n: int
    signal: int | None = None
    code: int = 1


@dataclass(frozen=True)
class CannedAnswer:
    """What a chat request gets instead of a reply; a body that is not text is sent as JSON."""

    code: int
    body: Any = None


@dataclass(frozen=True)
class RawAnswer:
    """What goes over the wire instead of an answer, to the byte: pieces as in raw_chunks."""

    pieces: tuple[str, ...]
    last_times: int = 1  # how often the last piece is sent
    pause_seconds: float = 0  # before each piece
    then: Literal["close", "reset", "hang"] = "close"


@dataclass(frozen=True)
class MidStreamError:
    """An error in the middle of a stream, as llama-server sends it: no [DONE] follows."""

    n: int
    body: Any = None


@dataclass(frozen=True)
class Faults:
    """What goes wrong, in JSON's types: an object for a dataclass, a list for a tuple.

    `n` and `…_at_token` count the tokens sent before it happens, reasoning included. "The program"
    and "loading" are read when the process starts, everything else at each request. What is held
    goes on as soon as `fake.json` no longer holds it.
    """

    # the program
    era: Era = "2026"  # whose --help and whose flags
    exit_at_once: int | None = None  # this exit code for any command line, after log_lines
    log_lines: tuple[str, ...] = ()  # to stderr before anything else
    chat_log_lines: tuple[str, ...] = ()  # to stderr at each chat request
    chatty: int = 0  # so many log lines after loading and again at each chat request
    ignore_sigterm: bool = False  # from the start on

    # loading (the port is bound, every path answers 503)
    load_seconds: float = 0
    load_forever: bool = False
    load_held: bool = False
    exit_during_load: int | None = None  # exit code, after load_seconds
    signal_during_load: int | None = None  # the signal it sends itself, after load_seconds
    exit_after_ready_seconds: float | None = None  # with exit code 1

    # every connection
    reset_at_stage: Stage = ""  # accept: all connections; headers, body: chat only
    keep_alive_dies: bool = False  # closes after one answer without having said so
    redirect_to: str = ""  # every path answers 302 with this Location
    answers: Mapping[str, CannedAnswer] = field(default_factory=dict)  # by path, chat's too
    raw_answers: Mapping[str, RawAnswer] = field(default_factory=dict)  # by path, chat's too
    # Faults of requests with this text in their body, instead of all the others here.
    by_text: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    # what it says about itself
    health_status: int | None = None
    props: Mapping[str, Any] = field(default_factory=dict)  # merged over the top level of /props
    router_role: bool = False  # as if started without -m
    swallow_template: bool = False  # /apply-template says "gemma"
    no_input_tokens: bool = False  # 404, as builds before 2026
    no_metrics: bool = False  # 501
    no_slots: bool = False  # 501
    metrics_text: str | None = None
    slots_answer_slow_seconds: float = 0
    healthy_but_dead: bool = False  # only what needs the engine's task queue: chat, slots, metrics

    # before a chat answer
    hang_before_headers: bool = False
    slow_headers_seconds: float = 0
    status: CannedAnswer | None = None
    context_limit: int | None = None  # in tokens of 4 characters; else the -c of one slot
    wrong_content_type: str = ""

    # the reply
    reply: str | None = None  # text, a word a token
    reply_tokens: tuple[str, ...] | None = None
    reasoning: tuple[str, ...] = ()  # sent as reasoning_content first
    prompt_seconds: float = 0  # how long the prompt is read
    token_delay_seconds: float = 0  # before each token, and before each raw chunk
    finish_reason: str = ""
    usage: Mapping[str, Any] | None = None  # replaces the real figures

    # what breaks in the middle
    die_at_token: Death | None = None
    hang_at_token: int | None = None
    hold_at_token: int | None = None
    error_mid_stream: MidStreamError | None = None
    no_done: bool = False
    ignore_disconnect: bool = False

    # going on with a last message of the assistant (continue_final_message)
    no_continuation: bool = False  # as builds that do not know the field, and ignore it
    closes_continuation: bool = False  # the template ends that message, and begins another

    # resumable streams
    no_streams: bool = False  # as builds before May 2026: the header is nothing, the paths are 404
    stream_ring_bytes: int = 4 * 1024 * 1024  # so much of a stream can be read again

    # odd streams
    raw_chunks: tuple[str, ...] | None = None  # the whole body: latin-1 text, or "base64:…"
    raw_last_chunk_times: int = 1
    repeat_role: bool = False
    null_content: bool = False  # a null delta before each token
    empty_choices: bool = False  # a chunk with choices [] before each token
    comments: bool = False  # a ": ping" before each token
    lone_surrogate: bool = False  # "\ud83d" as a token of its own after the first
    bytes_per_chunk: int = 0  # the body in HTTP chunks of so many bytes, whatever they split
    bytes_per_send: int = 0  # the whole answer, headers and chunk sizes included, to the socket

    def for_body(self, body: bytes) -> "Faults":
        """Return the faults of a request with this body."""
        for text, faults in self.by_text.items():
            if text.encode() in body:
                return faults_from(faults)
        return self

    @property
    def tokens(self) -> tuple[str, ...]:
        if self.reply_tokens is not None:
            return self.reply_tokens
        if self.reply is not None:
            return words(self.reply)
        return DEFAULT_TOKENS


def words(text: str) -> tuple[str, ...]:
    """Split after each space, so that the parts joined are the text."""
    parts = text.split(" ")
    return tuple(part for part in (*(f"{part} " for part in parts[:-1]), parts[-1]) if part)


def faults_from(values: Mapping[str, Any]) -> Faults:
    """Read a JSON object; an unknown key is a TypeError."""
    nested = {
        "die_at_token": Death,
        "status": CannedAnswer,
        "error_mid_stream": MidStreamError,
    }
    for name, kind in {"answers": CannedAnswer, "raw_answers": RawAnswer}.items():
        if name in values:
            by_path = {path: _value(value, kind) for path, value in values[name].items()}
            values = {**values, name: by_path}
    return Faults(**{key: _value(value, nested.get(key)) for key, value in values.items()})


def load_faults(folder: str) -> Faults:
    """What `fake.json` and the environment ask for now: the file may change while we run."""
    values: dict[str, Any] = {}
    try:
        with open(os.path.join(folder, "fake.json"), encoding="utf-8") as file:
            values |= json.load(file)
    except FileNotFoundError:
        pass
    return faults_from(values | json.loads(os.environ.get("FAKE_LLAMA_SERVER", "{}")))


def _value(value: Any, kind: type | None) -> Any:
    if kind is not None and isinstance(value, Mapping):
        return kind(**{name: _value(item, None) for name, item in value.items()})
    return tuple(value) if isinstance(value, list) else value
