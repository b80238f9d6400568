"""Spans of a turn for OpenTelemetry, by its conventions for generative AI.

The SDK makes one span for each request. A turn adds a child for its call to llama-server, and the
request that returns the reply gets the same figures. Without a configured OpenTelemetry SDK all
this does nothing. Names: opentelemetry.io, semantic conventions, "gen-ai spans".
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_current_span, get_tracer
from opentelemetry.util.types import AttributeValue

from llama_mcp.turns.chat_request import Sampling
from llama_mcp.turns.message_parts import ChatMessage, text_of
from llama_mcp.turns.replies.reply import ChatReply

if TYPE_CHECKING:
    from llama_mcp.llama_server.ready_server import ReadyServer

PROVIDER = "llama.cpp"
_tracer = get_tracer("llama_mcp")


@contextmanager
def span_of_call(session_id: str, server: "ReadyServer", sampling: Sampling) -> Iterator[Span]:
    """Open a span for one call to llama-server, a child of the request that began the turn."""
    host, port = server.address
    attributes: dict[str, AttributeValue | None] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": server.model,
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": sampling.temperature,
        "gen_ai.request.top_p": sampling.top_p,
        "gen_ai.request.top_k": sampling.top_k,
        "gen_ai.request.max_tokens": sampling.max_tokens,
        "gen_ai.request.seed": sampling.seed,
        "gen_ai.request.stop_sequences": sampling.stop or None,
        "gen_ai.output.type": "json" if sampling.json_schema is not None else "text",
        "gen_ai.conversation.id": session_id,
        "server.address": host,
        "server.port": port,
    }
    with _tracer.start_as_current_span(
        f"chat {server.model}",
        kind=SpanKind.CLIENT,
        attributes=_known(attributes),
        # An error's text may quote the conversation.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise


def note_reply(span: Span, reply: ChatReply) -> None:
    """Give a span what is known of a reply; no text of it."""
    reasons = [reply.finish_reason] if reply.finish_reason else None
    first_token_ms = reply.timing.first_token_ms
    attributes: dict[str, AttributeValue | None] = {
        "gen_ai.usage.input_tokens": reply.usage.prompt_tokens,
        "gen_ai.usage.cache_read.input_tokens": reply.usage.cached_tokens,
        "gen_ai.usage.output_tokens": reply.usage.completion_tokens,
        "gen_ai.response.finish_reasons": reasons,
        "gen_ai.response.time_to_first_chunk": first_token_ms and first_token_ms / 1000,
    }
    span.set_attributes(_known(attributes))


def note_turn(reply: ChatReply, model: str | None) -> None:
    """Give the current request's span what is known of the turn that it returns."""
    span = get_current_span()
    if span.is_recording():
        span.set_attributes(
            _known(
                {
                    "gen_ai.conversation.id": reply.session_id,
                    "gen_ai.provider.name": PROVIDER,
                    "gen_ai.response.model": model,
                    "llama_mcp.turn": reply.turn,
                    "llama_mcp.turn.status": reply.status.value,
                }
            )
        )
        note_reply(span, reply)


def note_content(span: Span, messages: Sequence[ChatMessage], reply: ChatReply) -> None:
    """Give a span the texts themselves, where the operator has asked for it."""
    parts = [{"type": "reasoning", "content": reply.reasoning}] if reply.reasoning else []
    parts.append({"type": "text", "content": reply.reply})
    answer = {"role": "assistant", "parts": parts, "finish_reason": reply.finish_reason}
    asked = [
        {"role": item["role"], "parts": [{"type": "text", "content": text_of(item)}]}
        for item in messages
    ]
    span.set_attribute("gen_ai.input.messages", json.dumps(asked))
    span.set_attribute("gen_ai.output.messages", json.dumps([answer]))


def _known(attributes: Mapping[str, Any]) -> dict[str, AttributeValue]:
    return {name: value for name, value in attributes.items() if value is not None}
