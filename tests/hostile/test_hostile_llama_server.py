"""A llama-server that does everything wrong: each fault is named in time, and no word is lost.

The stand-in has a fault for each message that names it, so that many are tried at once.
"""

import json
import re
import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from llama_mcp.llama_server.api.client import SLOTS_AGE_SECONDS
from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import Connection, LlamaMCP, text_of
from tests.support.processes import PATIENCE_SECONDS

CHAT = "/v1/chat/completions"
COUNT = f"{CHAT}/input_tokens"
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n"
# One part of a reply, as an event and as an HTTP chunk.
EVENT = 'data: {"choices":[{"delta":{"content":"Kept."}}]}\n\n'
KEPT = f"{len(EVENT):x}\r\n{EVENT}\r\n"
DONE = "data: [DONE]\n\n"
LOST = "connection to it failed|stream ended before"
DEEP = "[" * 100_000
# Longer than the window of 1024 tokens surely is, so that it has to be counted.
LONG = " and on" * 400
BUG = re.compile(r"unexpected error|Traceback|Error executing|[Ii]nternal error")
# JSON values for a field that should have another; the last are no numbers to Python.
ODD: list[Any] = [None, True, -1, 1.5, "x", [], {}, [{}], {"x": [None]}, 2**63, 10**300, 1e308]
ODD_TEXTS = [*(json.dumps(value) for value in ODD), "1e999", "-1e999", "9" * 400, "NaN"]


@dataclass(frozen=True)
class Case:
    """A fault, what the caller reads, and what had come before it."""

    name: str
    faults: dict[str, Any]
    expected: str
    kept: str = ""
    more: str = ""  # more text in the message
    is_error: bool = True


def raw(name: str, *pieces: str, expected: str = LOST, **more: Any) -> Case:
    has_head = "HTTP/1.1" in pieces[0]
    kept = "Kept." if has_head and any("Kept." in piece for piece in pieces) else ""
    answer = {"pieces": pieces, **more}
    return Case(name, {"raw_answers": {CHAT: answer}}, expected, kept)


def cut_off() -> Iterator[Case]:
    """The connection ends at each stage, with and without a goodbye."""
    stages = {
        "before anything": [""],
        "in the status line": ["HTTP/1.1 20"],
        "in the head": [HEAD],
        "after the head": [CHUNKED],
        "in the size of a chunk": [CHUNKED, KEPT, "5"],
        "in a chunk": [CHUNKED, KEPT, "1a\r\ndata: {"],
        "in an event": [CHUNKED, KEPT, "7\r\ndata: {\r\n"],
        "after a chunk": [CHUNKED, KEPT],
        "short of its length": [f"{HEAD}Content-Length: 9999\r\n\r\n{EVENT}"],
    }
    for stage, pieces in stages.items():
        for then in ("close", "reset"):
            # What a reset overtakes is lost; the pause lets the rest arrive first.
            yield raw(f"{then} {stage}", *pieces, then=then, pause_seconds=0.05)


def not_http() -> Iterator[Case]:
    yield raw("a greeting", "SSH-2.0-OpenSSH_9.9\r\n", expected="not HTTP")
    yield raw("no head", EVENT + DONE, expected="not HTTP")
    yield raw("no number", "HTTP/1.1 OK\r\n\r\n", expected="not HTTP")
    yield raw("no size", CHUNKED, KEPT, "zz\r\n", expected="not HTTP")
    yield raw("a huge size", CHUNKED, KEPT, "f" * 40 + "\r\n", expected="not HTTP")
    yield raw("a negative length", f"{HEAD}Content-Length: -1\r\n\r\n", expected="not HTTP")
    yield raw("two lengths", f"{HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\n", expected=".")
    yield raw("an endless head", HEAD, "X: y\r\n" * 1000, last_times=50, expected="have no end")
    yield raw("an endless line", CHUNKED, KEPT, f"10000\r\n{'x' * 0x10000}\r\n", last_times=300,
              expected="a line without an end")  # fmt: skip
    yield raw("a NUL in the head", "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", expected="not HTTP")


def not_a_stream() -> Iterator[Case]:
    whole = json.dumps({"choices": [{"message": {"content": "whole"}}]})
    bodies = {"JSON": whole, "HTML": "<html>hello</html>", "nothing": "", "only text": "data"}
    for name, body in bodies.items():
        yield Case(f"200 with {name}", {"answers": {CHAT: {"code": 200, "body": body}}}, LOST)
    yield chunks("half an event", EVENT, "data: {half\n\n", expected="not JSON")
    yield chunks("deep JSON", EVENT, f"data: {DEEP}\n\n", expected="not JSON")
    yield chunks("no end", EVENT, expected=LOST)


def chunks(
    name: str, *texts: str, expected: str, is_error: bool = True, kept: str = "Kept."
) -> Case:
    return Case(name, {"raw_chunks": texts}, expected, kept, is_error=is_error)


def refusals() -> Iterator[Case]:
    bodies: dict[str, Any] = {
        "words": {"error": {"message": "these words"}},
        "no body": "",
        "HTML": "<html>oops</html>",
        "a text as error": {"error": "these words"},
        "no text as message": {"error": {"message": {"a": [1]}}},
        "a list": [1, 2],
        "deep JSON": DEEP,
        "a long message": {"error": {"message": "long " * 100_000}},
    }
    for code in (400, 401, 403, 404, 408, 413, 422, 429, 500, 501, 502, 503, 504, 599):
        for name, body in list(bodies.items())[: 2 if code not in (400, 500) else None]:
            faults = {"answers": {CHAT: {"code": code, "body": body}}}
            yield Case(f"{code} with {name}", faults, rf"\(HTTP {code}\)")
    head = "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = f"1000\r\n{'x' * 0x1000}\r\n"
    yield raw("500 without an end", head, chunk, last_times=100_000, expected="HTTP 500")
    yield raw("500 that hangs", "HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\n", then="hang",
              expected="no explanation .HTTP 500")  # fmt: skip


def errors_in_mid_stream() -> Iterator[Case]:
    for number, error in enumerate(
        [True, "words", ["x"], {"code": "x"}, {"code": 10**30, "message": "m"}, {"message": None}]
    ):
        event = f"data: {json.dumps({'error': error})}\n\n"
        yield chunks(f"mid-stream error {number}", EVENT, event, expected="HTTP 500")
    yield chunks("an old build's error", EVENT, 'error: {"message":"old"}\n\n', expected="old")


def odd_fields() -> Iterator[Case]:
    """Every field of the stream that is read, with values of every wrong type."""
    fields = [
        '{{"choices":{}}}',
        '{{"choices":[{}]}}',
        '{{"choices":[{{"delta":{}}}]}}',
        '{{"choices":[{{"finish_reason":{}}}]}}',
        '{{"choices":[{{"delta":{{"reasoning_content":{}}}}}]}}',
        '{{"model":{}}}',
        '{{"usage":{}}}',
        '{{"timings":{}}}',
        '{{"prompt_progress":{}}}',
        '{{"usage":{{"prompt_tokens":{0},"completion_tokens":{0},"prompt_tokens_details":{0}}}}}',
        '{{"usage":{{"prompt_tokens_details":{{"cached_tokens":{}}}}}}}',
        '{{"timings":{{"cache_n":{0},"prompt_n":{0},"predicted_n":{0},"prompt_ms":{0}}}}}',
        '{{"timings":{{"predicted_ms":{0},"prompt_per_second":{0},"predicted_per_second":{0}}}}}',
        '{{"prompt_progress":{{"total":{0},"cache":{0},"processed":{0},"time_ms":{0}}}}}',
        "{}",
    ]
    for number, field in enumerate(fields):
        # The last of the odd ones counts, so each has its turn to be that.
        for turn in range(0, len(ODD_TEXTS), 4):
            odd = ODD_TEXTS[turn:] + ODD_TEXTS[:turn]
            events = [f"data: {field.format(value)}\n\n" for value in odd]
            name = f"field {number} turn {turn}"
            yield chunks(name, "".join(events), EVENT + DONE, expected="Kept", is_error=False)


def odd_texts() -> Iterator[Case]:
    utf8 = 'data: {"choices":[{"delta":{"content":"Kept.\xff\xfe"}}]}\n\n'
    yield chunks("invalid UTF-8", utf8, DONE, expected="Kept", is_error=False, kept="Kept.\ufffd")
    nul = 'data: {"choices":[{"delta":{"content":"Kept.\\u0000"}}]}\n\n'
    yield chunks("a NUL", nul, DONE, expected="Kept", is_error=False)
    other = {"raw_chunks": [EVENT + DONE], "wrong_content_type": "image/png"}
    yield Case("another content type", other, "Kept", "Kept.", is_error=False)
    slow = {"raw_chunks": [EVENT + DONE], "slow_headers_seconds": 0.3}
    yield Case("slow headers", slow, "Kept", "Kept.", is_error=False)
    kept = {"raw_chunks": [EVENT + DONE], "keep_alive_dies": True}
    yield Case("a dying keep-alive", kept, "Kept", "Kept.", is_error=False)


def odd_counts() -> Iterator[Case]:
    """Counting tokens: each endpoint of it with each wrong answer; then the message is refused."""
    for number, value in enumerate(ODD[:9]):
        every = {
            COUNT: {"code": 200, "body": {"input_tokens": value if value != 2**63 else "x"}},
            "/apply-template": {"code": 200, "body": {"prompt": None}},
            "/tokenize": {"code": 200, "body": {"tokens": "x"}},
        }
        expected = "too long|cannot count tokens|exceeds the available"
        yield Case(f"count {number}", {"answers": every}, expected, more=LONG)
    nothing = {path: {"code": 200, "body": []} for path in (COUNT, "/apply-template", "/tokenize")}
    yield Case("counts that are lists", {"answers": nothing}, "cannot count", more=LONG)
    deep = {COUNT: {"code": 200, "body": DEEP}}
    yield Case("a deep count", {"answers": deep}, "not JSON", more=LONG)
    for code in (400, 500, 503):
        refused = {COUNT: {"code": code, "body": ""}}
        yield Case(f"a refused count {code}", {"answers": refused}, f"HTTP {code}", more=LONG)
    gone = {"raw_answers": {COUNT: {"pieces": ["HTTP/1.1 2"], "then": "reset"}}}
    yield Case("a count that breaks off", gone, "connection to it failed", more=LONG)


CASES = [
    *cut_off(),
    *not_http(),
    *not_a_stream(),
    *refusals(),
    *errors_in_mid_stream(),
    *odd_fields(),
    *odd_texts(),
    *odd_counts(),
]


@pytest.fixture(scope="module")
async def shared_connection(
    shared_llama_mcp: LlamaMCP, shared_fake: Path
) -> AsyncIterator[Connection]:
    fake = install_fake(shared_fake)
    having = shared_llama_mcp.having(LLAMA_CPP_PATH=str(fake), PARALLEL="16")
    async with having.connect() as connection:
        await connection.call("start_llama_server")
        yield connection


@pytest.fixture
def connection(shared_connection: Connection, shared_fake: Path) -> Connection:
    """llama-mcp with a stand-in that is ready and has no faults yet."""
    set_faults(shared_fake)
    return shared_connection


def archived(home: Path) -> dict[str, tuple[str, str, str | None]]:
    """Return status, reply and error of every turn, by its message."""
    with closing(sqlite3.connect(home / "sessions.db")) as archive:
        rows = archive.execute("SELECT message, status, reply, error FROM turns").fetchall()
    return {message: (status, reply, error) for message, status, reply, error in rows}


def text_for(number: int, case: Case) -> str:
    return f"@{number}@{case.more}"


@pytest.mark.slow
async def test_every_fault_of_a_reply_is_named_in_time_and_nothing_is_lost(
    connection: Connection, shared_llama_mcp: LlamaMCP, shared_fake: Path
) -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    by_text = {f"@{number}@": case.faults for number, case in enumerate(CASES)}
    set_faults(shared_fake, by_text=by_text)
    seen: dict[int, tuple[bool, str]] = {}
    numbers = iter(range(len(CASES)))

    async def try_some() -> None:
        for number in numbers:
            message = text_for(number, CASES[number])
            with anyio.fail_after(PATIENCE_SECONDS):
                result = await connection.result("chat", message=message)
            seen[number] = (bool(result.is_error), text_of(result))

    async with anyio.create_task_group() as tasks:
        for _ in range(32):
            tasks.start_soon(try_some)
    kept = archived(shared_llama_mcp.home)
    faults = [
        f"{case.name}: {fault}"
        for number, case in enumerate(CASES)
        for fault in faults_of(case, seen[number], kept[text_for(number, case)])
    ]
    assert not faults, "\n".join(faults)
    reply = await connection.call("chat", message="and now a good one")
    assert reply["reply"].endswith("lazy dog.")


def faults_of(
    case: Case, seen: tuple[bool, str], kept: tuple[str, str, str | None]
) -> Iterator[str]:
    """Say what is wrong with what a caller saw, or with what the archive has."""
    (is_error, text), (status, reply, error) = seen, kept
    if is_error != case.is_error or not re.search(case.expected, text) or BUG.search(text):
        yield f"the caller read {text[:300]!r}"
    if status != ("failed" if case.is_error else "complete"):
        yield f"the turn is {status}"
    if not reply.startswith(case.kept) or (case.is_error and reply != case.kept):
        yield f"the archive has {reply[:100]!r}"
    if case.is_error and not (error and re.search(case.expected, error)):
        yield f"the archive says {error!r}"
    if len(text) > 5000:
        yield f"the error is {len(text)} characters long"


# What a llama-server that is ready says of itself, one thing after another.
LOOKS: list[dict[str, Any]] = [
    *({"answers": {"/slots": {"code": 200, "body": value}}} for value in ODD[:10]),
    *({"answers": {"/slots": {"code": 200, "body": [value, {}]}}} for value in ODD[:10]),
    *({"answers": {"/slots": {"code": code, "body": ""}}} for code in (204, 400, 401, 500, 503)),
    *({"answers": {path: {"code": 418, "body": None} for path in ("/slots", "/health")}},),
    {"answers": {"/slots": {"code": 200, "body": DEEP}}},
    {"answers": {"/slots": {"code": 200, "body": "\u00ff{"}}},
    {"raw_answers": {"/slots": {"pieces": ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[{"]}}},
    {"raw_answers": {"/slots": {"pieces": ["\xff\xfe\x00"], "then": "reset"}}},
    {
        "raw_answers": {
            "/slots": {"pieces": [CHUNKED, f"10000\r\n{'[' * 0x10000}\r\n"], "last_times": 5000}
        }
    },  # fmt: skip
    {"keep_alive_dies": True},
    {"reset_at_stage": "accept"},
]
TRICKLE = {"pieces": [CHUNKED, "1\r\n[\r\n"], "last_times": 1000, "pause_seconds": 0.2}


@pytest.mark.slow
async def test_whatever_it_says_of_itself_there_is_a_status_in_time(
    connection: Connection, shared_fake: Path
) -> None:
    for faults in LOOKS:
        set_faults(shared_fake, **faults)
        # For so long what was answered before is told once more.
        await anyio.sleep(SLOTS_AGE_SECONDS)
        with anyio.fail_after(PATIENCE_SECONDS):
            state = (await connection.call("status"))["state"]
        is_mute = "/health" in faults.get("answers", {}) or "reset_at_stage" in faults
        assert state == ("unresponsive" if is_mute else "ready"), faults
    set_faults(shared_fake, raw_answers={"/slots": TRICKLE, "/health": TRICKLE})
    await anyio.sleep(SLOTS_AGE_SECONDS)
    with anyio.fail_after(PATIENCE_SECONDS):
        assert (await connection.call("status"))["state"] == "unresponsive"
    set_faults(shared_fake)
    assert (await connection.call("status"))["slots"] == {"total": 16, "busy": 0}
    assert (await connection.call("chat", message="Hello"))["status"] == "complete"


async def test_a_redirect_is_followed_nowhere(connection: Connection, shared_fake: Path) -> None:
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.listen()
        elsewhere.setblocking(False)
        url = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        await connection.call("chat", message="while it behaves")
        set_faults(shared_fake, redirect_to=url)
        for message in ("short", "long" + LONG):
            assert "HTTP 302" in await connection.refusal("chat", message=message)
        # What was answered a moment ago may be told once more.
        await connection.call_until(lambda status: status["state"] == "unresponsive", "status")
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


async def test_a_reply_that_hangs_is_returned_as_far_as_it_is_and_can_be_stopped(
    connection: Connection, shared_llama_mcp: LlamaMCP, shared_fake: Path
) -> None:
    stages = {
        "hangs in the head": [HEAD],
        "hangs in a chunk": [CHUNKED, KEPT, "1a\r\ndata: {"],
        "hangs in an event": [CHUNKED, KEPT, "7\r\ndata: {\r\n"],
        "hangs between tokens": [CHUNKED, KEPT],
    }
    raw = {stage: {"pieces": pieces, "then": "hang"} for stage, pieces in stages.items()}
    hangs = {stage: {"raw_answers": {CHAT: answer}} for stage, answer in raw.items()}
    set_faults(shared_fake, by_text=hangs)
    for stage in stages:
        kept = "" if stage == "hangs in the head" else "Kept."
        part = await connection.call("chat", message=stage, wait_seconds=0.2)
        await connection.reply_until(kept, part["session_id"])
        assert (await connection.call("chat", message="another"))["status"] == "complete"
        stopped = await connection.call("cancel_reply", session_id=part["session_id"])
        assert (stopped["status"], part["reply"] + stopped["reply"]) == ("cancelled", kept)
        assert archived(shared_llama_mcp.home)[stage] == ("cancelled", kept, None)


async def test_one_that_only_hangs_is_found_unresponsive_and_the_message_is_kept(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, hang_before_headers=True, no_slots=True)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), UNRESPONSIVE_SECONDS="0.3")
    async with having.connect() as connection:
        await connection.call("start_llama_server")
        refusal = await connection.refusal("chat", message="Is somebody there?")
    assert "unresponsive" in refusal and "force=true" in refusal
    status, reply, error = archived(llama_mcp.home)["Is somebody there?"]
    assert (status, reply) == ("failed", "") and "unresponsive" in str(error)


def props(**odd: Any) -> dict[str, Any]:
    return {"props": odd}


def answer(path: str, body: Any, code: int = 200) -> dict[str, Any]:
    return {"answers": {path: {"code": code, "body": body}}}


# While it loads: what makes it not the llama-server that was started, and what does no harm.
NEVER_READY: list[dict[str, Any]] = [
    answer("/props", []),
    answer("/props", DEEP),
    answer("/props", "", 500),
    props(model_alias=["tiny"]),
    props(role="router"),
    answer("/health", "", 500),
    {"raw_answers": {"/health": {"pieces": ["HTTP/1.1"], "then": "hang"}}},
    {"redirect_to": "http://127.0.0.1:9/"},
]
READY: list[dict[str, Any]] = [
    props(default_generation_settings=["x"], total_slots="4"),
    props(default_generation_settings="x", total_slots=True),
    props(default_generation_settings={"n_ctx": 1e300}, total_slots=-1),
    props(default_generation_settings={"n_ctx": 10**300}, total_slots=10**300),
    answer("/apply-template", [1]),
    answer("/apply-template", DEEP),
    answer("/apply-template", {"prompt": {"x": 1}}),
    {"raw_answers": {"/apply-template": {"pieces": ["HTTP/1.1 200"], "then": "reset"}}},
]


@pytest.mark.slow
async def test_one_that_is_odd_while_it_loads_is_given_up_with_the_reason_or_used(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder)
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        for faults in NEVER_READY:
            set_faults(fake_folder, **faults)
            refusal = await connection.refusal("start_llama_server", timeout_seconds=1)
            assert "was not ready within timeout_seconds=1 " in refusal, faults
        for faults in READY:
            set_faults(fake_folder, **faults)
            started = await connection.call("start_llama_server")
            assert started["state"] == "ready", faults
            set_faults(fake_folder)
            reply = await connection.call("chat", message="Hello")
            assert reply["context"]["limit"] == 1024, faults
            await connection.call("stop_llama_server", force=True)


METRICS = [
    "llamacpp:prompt_tokens_total NaN\n",
    "llamacpp:prompt_tokens_total +Inf\nllamacpp:requests_deferred -1\n",
    "llamacpp:prompt_tokens_total 1e400\n",
    "llamacpp:prompt_tokens_total 1e308\nllamacpp:prompt_tokens_cached_total 1e308\n",
    "llamacpp:prompt_tokens_total 1\nllamacpp:prompt_seconds_total 1e-320\n",
    "llamacpp:prompt_tokens_seconds 1e999\n",
    'llamacpp:prompt_tokens_total{x="1\n',
    "llamacpp:prompt_tokens_total 1 2 3 4\n# TYPE\n",
    "# TYPE llamacpp:prompt_tokens_total histogram\nllamacpp:prompt_tokens_total 1\n",
    "\x00\u00ff{}",
    "x" * 1_000_000,
    "",
]


async def test_metrics_that_make_no_sense_leave_their_figures_out(
    connection: Connection, shared_fake: Path
) -> None:
    for text in METRICS:
        set_faults(shared_fake, metrics_text=text)
        # A turn makes the answer before it stale.
        await connection.call("chat", message="Hello")
        with anyio.fail_after(PATIENCE_SECONDS):
            metrics = await connection.call("server_metrics")
            for name in ("metrics", "metrics.prom", "slots"):
                read = await connection.read(f"llama://server/{name}")
                assert "Infinity" not in read and not BUG.search(read), text[:100]
        assert metrics["state"] == "ready", text[:100]
