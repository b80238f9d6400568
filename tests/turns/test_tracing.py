"""What an operator who collects OpenTelemetry spans sees of a turn."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp import Client
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from llama_mcp.server import build_server
from llama_mcp.settings import Settings
from tests.client_process import Connection, LlamaMCP

SECRET = "The word is heliotrope."


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """The one exporter of this process: a provider can be set only once."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture(params=[False, True], ids=["without content", "with content"])
async def connection(
    request: pytest.FixtureRequest,
    llama_mcp: LlamaMCP,
    exporter: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Connection]:
    """A client of a server in this process, which has the exporter."""
    for name, value in llama_mcp.having(TRACE_CONTENT=str(request.param)).environment.items():
        monkeypatch.setenv(name, value)
    exporter.clear()
    async with Client(build_server(Settings(), {"PATH": "/usr/bin:/bin"})) as client:
        connection = Connection(client)
        yield connection
        await connection.call("stop_llama_server", force=True)


def span_named(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = (span for span in exporter.get_finished_spans() if span.name == name)
    return found


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_a_turn_is_a_child_span_with_its_figures_and_its_text_only_when_asked_for(
    connection: Connection, exporter: InMemorySpanExporter, request: pytest.FixtureRequest
) -> None:
    await connection.call("start_llama_server")
    reply = await connection.call("chat", message=SECRET, max_tokens=5, temperature=0, stop=["@@"])
    asked, call = (
        span_named(exporter, "tools/call chat"),
        span_named(exporter, "chat tiny"),
    )
    assert call.parent is not None and call.parent.span_id == asked.context.span_id
    assert (asked.kind, call.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    figures = {
        "gen_ai.provider.name": "llama.cpp",
        "gen_ai.conversation.id": reply["session_id"],
        "gen_ai.usage.input_tokens": reply["usage"]["prompt_tokens"],
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": reply["usage"]["cached_tokens"],
        "gen_ai.response.finish_reasons": ("length",),
    }
    assert attributes_of(asked).items() >= {**figures, "llama_mcp.turn": 1}.items()
    wanted = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "tiny",
        "gen_ai.request.max_tokens": 5,
        "gen_ai.request.temperature": 0,
        "gen_ai.request.stop_sequences": ("@@",),
        "server.address": "127.0.0.1",
    }
    assert attributes_of(call).items() >= {**figures, **wanted}.items()
    texts = [span.to_json() for span in exporter.get_finished_spans() if SECRET in span.to_json()]
    if "with content" in request.node.name:
        assert len(texts) == 1
        said = json.loads(attributes_of(call)["gen_ai.output.messages"])
        assert said[0]["parts"] == [{"type": "text", "content": reply["reply"]}]
    else:
        assert not texts
    exporter.clear()
    # The tiny model cannot be held to a schema.
    await connection.refusal("chat", message=SECRET, json_schema={"type": "object"})
    failed = span_named(exporter, "chat tiny")
    assert failed.status.status_code is StatusCode.ERROR
    assert attributes_of(failed)["error.type"]
    assert not failed.events
