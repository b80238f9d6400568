"""Any arguments of any tool, inside and outside of its input schema: a right result, or words."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.client_process import LlamaMCP
from tests.fake_llama_server.install import install_fake
from tests.hostile.arguments import SESSION, fitting_object, unfitting_object
from tests.raw_client import RawClient, raw_client

INSIDE, OUTSIDE = 25, 25
# More would start a llama-server each time.
INSIDE_START = 12
# An error is read by a model, which has better things to read.
MAX_ERROR_CHARACTERS = 5000
# What the SDK or we say when a bug is met; no argument may make us say it.
SIGNS_OF_A_BUG = re.compile(
    r"Traceback|[Ii]nternal|Error executing tool|unexpected|llama_mcp\.|site-packages|pydantic"
)


@pytest.fixture
async def client(llama_mcp: LlamaMCP, tmp_path: Path) -> AsyncIterator[RawClient]:
    """A client of a llama-mcp whose llama-server, the stand-in, runs."""
    fake = install_fake(tmp_path / "fake", reply='{"a": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"}')
    async with raw_client(llama_mcp.having(LLAMA_CPP_PATH=str(fake))) as client:
        await client.hello()
        await client.call("start_llama_server")
        yield client


def drawn(strategy: st.SearchStrategy[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return so many examples, the same ones in every run."""
    examples: list[dict[str, Any]] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(example: dict[str, Any]) -> None:
        examples.append(example)

    draw()
    return examples


async def test_whatever_the_arguments_are_a_tool_answers_with_a_result_or_in_words(
    client: RawClient, capfd: pytest.CaptureFixture[str]
) -> None:
    tools = (await client.answer(await client.ask("tools/list")))["result"]["tools"]
    session_id = await new_session(client)
    faults: list[str] = []
    for tool in tools:
        schema = tool["inputSchema"]
        inside = INSIDE_START if tool["name"] == "start_llama_server" else INSIDE
        examples = drawn(fitting_object(schema, schema), inside)
        for arguments in examples + drawn(unfitting_object(schema), OUTSIDE):
            named = {
                name: session_id if value == SESSION else value for name, value in arguments.items()
            }
            result = await client.call(tool["name"], **named)
            faults += faults_of(tool["name"], named, result)
            if tool["name"] in ("delete_session", "stop_llama_server"):
                await client.call("start_llama_server")
                session_id = await new_session(client)
    assert not faults, "\n".join(faults)
    assert "Traceback" not in capfd.readouterr().err
    assert (await client.call("chat", message="still works"))["structuredContent"]["turn"] == 1


def faults_of(tool: str, arguments: dict[str, Any], result: dict[str, Any]) -> list[str]:
    """Say what is wrong with an error; results are checked on the wire."""
    text = "".join(block["text"] for block in result["content"])
    is_bad = not text
    if result.get("isError"):
        is_bad |= bool(SIGNS_OF_A_BUG.search(text)) or len(text) > MAX_ERROR_CHARACTERS
    return [f"{tool} {json.dumps(arguments)[:500]}: {text[:500]}"] if is_bad else []


async def new_session(client: RawClient) -> str:
    reply = await client.call("chat", message="Hello")
    session_id: str = reply["structuredContent"]["session_id"]
    return session_id
