"""A server and its client in one process that collects spans; prints them and the replies."""

import json
import sys

import anyio
from mcp import Client
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from llama_mcp.reading_settings import read_settings
from llama_mcp.settings import inherited_environment
from llama_mcp.surface.server import build_server
from tests.support.client_process import Connection


async def main(message: str) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    async with Client(
        build_server(read_settings(inherited_environment()), inherited_environment())
    ) as client:
        connection = Connection(client)
        await connection.call("start_llama_server")
        reply = await connection.call(
            "chat", message=message, max_tokens=5, temperature=0, stop=["@@"]
        )
        # The tiny model cannot be held to a schema, so llama-server refuses this one.
        await connection.refusal("chat", message=message, json_schema={"type": "object"})
        await connection.call("stop_llama_server", force=True)
    spans = [json.loads(span.to_json()) for span in exporter.get_finished_spans()]
    print(json.dumps({"reply": reply, "spans": spans}))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
