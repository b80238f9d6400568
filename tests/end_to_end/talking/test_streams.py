"""Everything that llama-server's stream can hold, as a client of llama-mcp gets it.

The odd ones go on all the way: to progress, to the result, to the archive and out of it again.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.visible_text import visible
from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import Connection, LlamaMCP, Progress
from tests.support.quick import first_quick

SENTENCE = "The quick brown fox jumps over the lazy dog."
BEYOND_ASCII = ["na\u00efve ", "\u4e2d\u6587 ", "\U0001f600", "\u2028\x85", "NUL\x00"]
UNKNOWN = "\ufffd"


def delta(content: Any, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}, **choice}]}


def raw(*events: Any) -> dict[str, Any]:
    """Return the fault that sends exactly these events: JSON data, or bytes as they are."""
    bodies = [
        event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n"
        for event in events
    ]
    return {"raw_chunks": ["base64:" + base64.b64encode(body).decode() for body in bodies]}


DONE = b"data: [DONE]\n\n"
STOP = delta(None, finish_reason="stop")
CUT_IN_HALF = b'data: {"choices": [{"delta": {"content": "\xf0\x9f', b'\x98\x80!"}}]}\n\n'
INVALID_BYTES = b'data: {"choices": [{"delta": {"content": "a\xff\xc3(b"}}]}\n\n'
ODD_FIELDS = {
    "id": "\ud83d",
    "object": 5,
    "model": None,
    "choices": [{"delta": {"role": "\ud83d", "content": "odd", "tool_calls": None}}, "x", None],
    "usage": {"prompt_tokens": -1, "completion_tokens": 1.5, "prompt_tokens_details": []},
    "timings": {"predicted_per_second": "fast", "prompt_n": None},
    "prompt_progress": [],
}

# What a stream holds, and the reply that it is.
WHOLE: dict[str, tuple[dict[str, Any], str]] = {
    "null content": ({"null_content": True}, SENTENCE),
    "repeated roles": ({"repeat_role": True}, SENTENCE),
    "empty choices": ({"empty_choices": True}, SENTENCE),
    "comments": ({"comments": True}, SENTENCE),
    "all of these a byte at a time": (
        {
            "null_content": True,
            "repeat_role": True,
            "empty_choices": True,
            "comments": True,
            "reply_tokens": BEYOND_ASCII,
            "bytes_per_send": 1,
        },
        "".join(BEYOND_ASCII),
    ),
    "chunks that split characters": (
        {"reply_tokens": BEYOND_ASCII, "bytes_per_chunk": 1},
        "".join(BEYOND_ASCII),
    ),
    "a character in two chunks": (raw(*CUT_IN_HALF, STOP, DONE), "\U0001f600!"),
    "invalid UTF-8": (raw(INVALID_BYTES, STOP, DONE), f"a{UNKNOWN}{UNKNOWN}(b"),
    "half a surrogate pair": ({"lone_surrogate": True}, f"The{UNKNOWN}{SENTENCE[3:]}"),
    "a surrogate pair in one delta": (raw(delta("\ud83d\ude00"), STOP, DONE), "\U0001f600"),
    "surrogates in the wrong order": (
        raw(delta("a\ude00\ud83db"), STOP, DONE),
        f"a{UNKNOWN}{UNKNOWN}b",
    ),
    "surrogates where there is no text": (
        raw({**delta("ok", finish_reason="\ud83d"), "model": "\ud83d"}, DONE),
        "ok",
    ),
    "fields of the wrong type": (raw(ODD_FIELDS, {"choices": None}, [], 7, STOP, DONE), "odd"),
    "other fields of SSE": (
        raw(b"retry: 5\nid: 1\nevent: message\n", delta("ok"), b":\n\n", STOP, DONE),
        "ok",
    ),
    "CR LF and no space": (
        raw(b'data:{"choices":[{"delta":{"content":"ok"}}]}\r\n\r\n', b"data:[DONE]\r\n\r\n"),
        "ok",
    ),
    "more after its end": (raw(delta("ok"), STOP, DONE, delta("never"), b"data: {"), "ok"),
    "nothing but its end": (raw(DONE), ""),
}

# What a stream breaks off with, what the error says, and the text that had come.
BROKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "an error in mid-stream": (
        {"error_mid_stream": {"n": 4}},
        "Context size has been exceeded",
        SENTENCE[:19],
    ),
    "an error of a build of 2024": (
        raw(delta("Half"), b'error: {"code":500,"message":"slot lost"}\n\n'),
        "slot lost",
        "Half",
    ),
    "an error that is no object": (raw(delta("Half"), {"error": "odd"}), "odd", "Half"),
    "an error in half characters": (
        raw(delta("Half"), {"error": {"code": 500, "message": "odd \ud83d"}}),
        f"odd {UNKNOWN}",
        "Half",
    ),
    "an end without [DONE]": (
        {"no_done": True},
        "stream ended before the reply was complete",
        SENTENCE,
    ),
    "an end in the middle of a line": (
        raw(delta("Half"), b'data: {"choices": [{"del'),
        "stream ended before the reply was complete",
        "Half",
    ),
    "something that is not JSON": (raw(delta("Half"), b"data: {nonsense\n\n"), "not JSON", "Half"),
    "an error before the first token": ({"error_mid_stream": {"n": 0}}, "Context size", ""),
}


@pytest.fixture
def connection(shared_connection: Connection) -> Connection:
    return shared_connection


async def test_odd_but_whole_streams_are_whole_replies_of_valid_text(
    connection: Connection, shared_fake: Path
) -> None:
    for name, (faults, expected) in WHOLE.items():
        set_faults(shared_fake, **faults)
        progress = Progress()
        reply = await connection.call("chat", progress, message=name)
        assert (reply["status"], reply["reply"]) == ("complete", expected), name
        assert progress.text == expected, name
        assert progress.rises, name
        assert all(is_valid(text) for text in texts_of(reply)), name
        await is_kept(connection, reply["session_id"], expected)
        # Nothing at all is no silent success.
        told_empty = any("The reply is empty" in note for note in reply.get("notes", []))
        assert told_empty == (expected == ""), name


async def test_a_stream_that_breaks_off_is_an_error_that_keeps_what_had_come(
    connection: Connection, shared_fake: Path
) -> None:
    for name, (faults, expected, received) in BROKEN.items():
        set_faults(shared_fake, **faults)
        refusal = await connection.refusal("chat", message=name)
        assert expected in refusal, name
        assert is_valid(refusal), name
        if received:
            assert refusal.endswith(f"came {len(received)} characters:\n{received}"), name
        (session,) = (await connection.call("list_sessions", limit=1))["sessions"]
        turn = await is_kept(connection, session["session_id"], received)
        assert turn["status"] == "failed", name
        assert expected in turn["error"], name
        # Who asks for it later hears the same.
        again = await connection.refusal("wait_for_reply", session_id=session["session_id"])
        assert again == refusal, name
        set_faults(shared_fake)
        more = await connection.call("chat", message="And?", session_id=session["session_id"])
        assert (more["turn"], more["reply"]) == (2, SENTENCE), name


async def test_a_connection_that_is_reset_keeps_what_was_read_before_it(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, reset_at_stage="body")
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        await connection.call("start_llama_server")
        refusal = await connection.refusal("chat", message="Hello")
        assert "connection to it failed" in refusal or "stream ended before" in refusal
        (session,) = (await connection.call("list_sessions"))["sessions"]
        page = await connection.call("read_session", session_id=session["session_id"])
        # A reset may overtake the token that was sent just before it.
        kept = page["turns"][0]["reply"]
        assert kept in ("", "The") and refusal.endswith(kept)


@pytest.mark.parametrize(
    "others",
    first_quick({"healthy_but_dead": True}, {"hang_at_token": 0}, {}),
    ids=["nothing answers", "others begin and stop", "others go on"],
)
async def test_a_stream_that_stops_for_too_long_is_an_error_that_keeps_what_had_come(
    llama_mcp: LlamaMCP, fake_folder: Path, others: dict[str, Any]
) -> None:
    fake = install_fake(fake_folder, by_text={"Hello": {"hang_at_token": 4}}, **others)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), UNRESPONSIVE_SECONDS="1.5")
    async with having.connect() as connection:
        await connection.call("start_llama_server")
        refusal = await connection.refusal("chat", message="Hello")
        assert "unexpected error" not in refusal
        assert refusal.endswith(f"came 19 characters:\n{SENTENCE[:19]}")
        (session,) = (await connection.call("list_sessions"))["sessions"]
        turn = await is_kept(connection, session["session_id"], SENTENCE[:19])
        assert turn["status"] == "failed"
        set_faults(fake_folder)
        more = await connection.call("chat", message="And?", session_id=session["session_id"])
        assert more["reply"] == SENTENCE


async def is_kept(connection: Connection, session_id: str, expected: str) -> dict[str, Any]:
    """Check that the archive has this reply in every form that it gives; return its first turn."""
    page = await connection.call("read_session", session_id=session_id)
    turn: dict[str, Any] = page["turns"][0]
    assert turn["reply"] == expected
    assert all(is_valid(text) for text in texts_of(page))
    data = json.loads(await connection.read(f"llama://sessions/{session_id}.json"))
    assert data["turns"][0]["reply"] == expected
    shown = visible(expected).replace("\n", "\n> ")
    assert shown in await connection.read(f"llama://sessions/{session_id}")
    return turn


def texts_of(value: Any) -> Iterator[str]:
    """Give every text in JSON data, names included."""
    if isinstance(value, str):
        yield value
    if isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from texts_of(item)
    if isinstance(value, list):
        for item in value:
            yield from texts_of(item)


def is_valid(text: str) -> bool:
    """Tell whether it is Unicode that can be written: no half of a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
