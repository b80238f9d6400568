"""POST /v1/chat/completions: one reply, whole or as a stream, with everything that can go wrong."""

import base64
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from .engine import Engine, count_tokens
from .faults import HOLD_POLL_SECONDS, Faults
from .http import (
    EVENT_STREAM,
    JSON,
    Connection,
    GoneError,
    Request,
    Response,
    error_response,
    json_response,
    to_json,
)
from .log import chatter, log, raw_line
from .reply import Delta, Reply, sse
from .streams import HEADER as STREAM_ID

OUT_OF_POOL = {
    "error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}
}


# llama.cpp: common/chat.cpp.
BOTH = "Cannot set both add_generation_prompt and continue_final_message to true."


class ErrorMidStreamError(Exception):
    """The stream ends here, with an error instead of [DONE]."""


def answer_chat(connection: Connection, request: Request, engine: Engine, faults: Faults) -> None:
    """Answer it; one that shall be kept goes on when its client leaves."""
    id = request.headers.get(STREAM_ID)
    if not id or faults.no_streams or not _is_streamed(request):
        _answer(connection, request, engine, faults)
        return
    kept = engine.streams.begin(connection, id, faults)
    try:
        _answer(kept, request, engine, faults)
    finally:
        if not kept.stream.is_done:
            engine.streams.drop(kept.stream)


def _answer(connection: Connection, request: Request, engine: Engine, faults: Faults) -> None:
    connection.deaf = faults.ignore_disconnect
    connection.bytes_per_chunk = faults.bytes_per_chunk
    connection.bytes_per_send = faults.bytes_per_send
    chatter(faults.chatty)
    _before_headers(connection, faults)
    refused = _refusal(request, engine, faults)
    if refused is not None:
        connection.respond(refused, silent_close=faults.keep_alive_dies)
        return
    for line in faults.chat_log_lines:
        raw_line(line)
    body = json.loads(request.body)
    prompt_tokens = count_tokens(render_prompt(body, faults))
    with engine.slot(connection, prompt_tokens) as slot:
        reply = Reply(body, faults, engine, prompt_tokens, slot, slot.task)
        try:
            _send(connection, reply)
        except GoneError:
            log("stop", f"cancel task, id_task = {reply.task}", level="W")
            raise


def _is_streamed(request: Request) -> bool:
    try:
        return bool(json.loads(request.body).get("stream"))
    except (ValueError, AttributeError):
        return False


def render_prompt(body: dict[str, Any], faults: Faults) -> str:
    if faults.swallow_template:
        return "gemma"
    messages = body.get("messages") or []
    parts = [f"<{m['role']}>{_text(m.get('content'))}</{m['role']}>" for m in messages]
    if not faults.no_continuation and body.get("continue_final_message"):
        if body.get("add_generation_prompt", True):
            raise ValueError(BOTH)
        if not faults.closes_continuation:
            return "".join(parts).removesuffix("</assistant>")
    return "".join(parts) + "<assistant>"


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    return content or ""


def _before_headers(connection: Connection, faults: Faults) -> None:
    if faults.hang_before_headers:
        connection.hang()
    connection.pause(faults.slow_headers_seconds)
    if faults.reset_at_stage == "headers":
        connection.reset()


def _refusal(request: Request, engine: Engine, faults: Faults) -> Response | None:
    if faults.status is not None:
        return canned(faults.status.code, faults.status.body)
    try:
        tokens = count_tokens(render_prompt(json.loads(request.body), faults))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return error_response(400, f"[json.exception.parse_error.101] {error}")
    limit = engine.launch.slot_context if faults.context_limit is None else faults.context_limit
    if tokens < limit:
        return None
    return error_response(
        400,
        f"request ({tokens} tokens) exceeds the available context size ({limit} tokens), "
        "try increasing it",
        type="exceed_context_size_error",
        n_prompt_tokens=tokens,
        n_ctx=limit,
    )


def canned(code: int, body: Any) -> Response:
    if body is None:
        return error_response(code, f"canned answer {code}")
    if isinstance(body, str):
        return Response(code, body.encode(), "text/html")
    return json_response(body, code)


def _send(connection: Connection, reply: Reply) -> None:
    if reply.faults.raw_chunks is not None:
        _send_raw(connection, reply.faults, streamed=bool(reply.body.get("stream")))
    elif reply.body.get("stream"):
        _send_stream(connection, reply)
    else:
        _send_whole(connection, reply)


def _send_raw(connection: Connection, faults: Faults, streamed: bool) -> None:
    connection.begin_stream(faults.wrong_content_type or (EVENT_STREAM if streamed else JSON))
    chunks = [raw_bytes(text) for text in faults.raw_chunks or ()]
    for chunk in chunks + chunks[-1:] * (faults.raw_last_chunk_times - 1):
        connection.pause(faults.token_delay_seconds)
        connection.send_chunk(chunk)
    connection.end_stream()


def raw_bytes(text: str) -> bytes:
    if text.startswith("base64:"):
        return base64.b64decode(text.removeprefix("base64:"))
    return text.encode("latin-1")


def _send_whole(connection: Connection, reply: Reply) -> None:
    message = {"role": "assistant", "content": ""}
    connection.pause(reply.faults.prompt_seconds)
    try:
        for name, text in _generate(connection, reply):
            message[name] = message.get(name, "") + text
    except ErrorMidStreamError:
        connection.respond(json_response(_mid_stream_error(reply.faults), 500))
        return
    choice = {"finish_reason": reply.finish_reason, "index": 0, "message": message}
    more = {"usage": reply.usage, "timings": reply.timings}
    whole = to_json(reply.envelope([choice], "chat.completion", **more))
    reply.release_slot()
    response = Response(200, whole, reply.faults.wrong_content_type or JSON)
    connection.respond(response, silent_close=reply.faults.keep_alive_dies)


def _send_stream(connection: Connection, reply: Reply) -> None:
    faults = reply.faults
    connection.begin_stream(faults.wrong_content_type or EVENT_STREAM)
    _read_prompt(connection, reply)
    opening = reply.chunk({"role": "assistant", "content": None})
    try:
        for delta in _generate(connection, reply):
            connection.send_chunk(opening + reply.oddities() + reply.delta_chunk(delta))
            opening = b""
            if faults.reset_at_stage == "body":
                connection.reset()
    except ErrorMidStreamError:
        connection.send_chunk(opening + sse(_mid_stream_error(faults)))
    else:
        closing = b"".join(reply.closing_chunks())
        reply.release_slot()
        connection.send_chunk(opening + closing)
        connection.send_chunk(b"" if faults.no_done else b"data: [DONE]\n\n")
    connection.end_stream()


def _read_prompt(connection: Connection, reply: Reply) -> None:
    """Three steps, and a progress chunk after each when the client asked for them."""
    total = reply.prompt_tokens
    for processed in (0, total // 2, total):
        if reply.body.get("return_progress"):
            elapsed = int((time.monotonic() - reply.started) * 1000)
            progress = {"total": total, "cache": 0, "processed": processed, "time_ms": elapsed}
            role = {"role": "assistant", "content": None}
            connection.send_chunk(reply.chunk(role, more={"prompt_progress": progress}))
        if processed < total:
            connection.pause(reply.faults.prompt_seconds / 2)


def _generate(connection: Connection, reply: Reply) -> Iterator[Delta]:
    """One token after another, until a fault says otherwise."""
    for sent, delta in enumerate(reply.deltas):
        _meet_fate(connection, reply, sent)
        connection.pause(reply.faults.token_delay_seconds)
        reply.slot.decoded = sent + 1
        yield delta
    _meet_fate(connection, reply, len(reply.deltas))


def _meet_fate(connection: Connection, reply: Reply, sent: int) -> None:
    while reply.is_held(sent):
        connection.pause(HOLD_POLL_SECONDS)
    faults = reply.faults
    death = faults.die_at_token
    if death is not None and death.n == sent:
        die(death.signal, death.code)
    if faults.hang_at_token == sent:
        connection.hang()
    if faults.error_mid_stream is not None and faults.error_mid_stream.n == sent:
        raise ErrorMidStreamError


def die(signal_number: int | None, code: int) -> None:
    """Not even a flush: the way a crash goes."""
    if signal_number is not None:
        os.kill(os.getpid(), signal_number)
        time.sleep(3600)
    os._exit(code)


def _mid_stream_error(faults: Faults) -> Any:
    error = faults.error_mid_stream
    return OUT_OF_POOL if error is None or error.body is None else error.body
