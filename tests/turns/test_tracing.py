"""What an operator who collects OpenTelemetry spans sees of a turn."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_process import LlamaMCP
from tests.support.quick import first_quick

PROGRAM = Path(__file__).with_name("traced_program.py")
SECRET = "The word is heliotrope."


def trace(llama_mcp: LlamaMCP) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Have two turns, the second of which is refused; return the first reply and all spans."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), SECRET],
        env={**os.environ, **llama_mcp.environment, "PYTHONPATH": str(PROGRAM.parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    return told["reply"], told["spans"]


@pytest.mark.parametrize("with_content", first_quick(True, False))
def test_a_turn_is_a_child_span_with_its_figures_and_its_text_only_when_asked_for(
    llama_mcp: LlamaMCP, with_content: bool
) -> None:
    reply, spans = trace(llama_mcp.having(TRACE_CONTENT=str(with_content)))
    asked, _refused = (span for span in spans if span["name"] == "tools/call chat")
    call, failed = (span for span in spans if span["name"] == "chat tiny")
    assert call["parent_id"] == asked["context"]["span_id"]
    assert (asked["kind"], call["kind"]) == ("SpanKind.SERVER", "SpanKind.CLIENT")
    figures = {
        "gen_ai.provider.name": "llama.cpp",
        "gen_ai.conversation.id": reply["session_id"],
        "gen_ai.usage.input_tokens": reply["usage"]["prompt_tokens"],
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": reply["usage"]["cached_tokens"],
    }
    assert asked["attributes"].items() >= {**figures, "llama_mcp.turn": 1}.items()
    assert call["attributes"]["gen_ai.response.finish_reasons"] == ["length"]
    wanted = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "tiny",
        "gen_ai.request.max_tokens": 5,
        "gen_ai.request.temperature": 0,
        "server.address": "127.0.0.1",
    }
    assert call["attributes"].items() >= {**figures, **wanted}.items()
    assert failed["status"]["status_code"] == "ERROR"
    assert failed["attributes"]["error.type"] and not failed["events"]
    if with_content:
        said = json.loads(call["attributes"]["gen_ai.output.messages"])
        assert said[0]["parts"] == [{"type": "text", "content": reply["reply"]}]
        assert SECRET in call["attributes"]["gen_ai.input.messages"]
        assert SECRET not in json.dumps(asked)
    else:
        assert SECRET not in json.dumps(spans)
