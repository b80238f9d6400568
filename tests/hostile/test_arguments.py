"""Any arguments of any tool, inside and outside of its input schema: a right result, or words."""

import json
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fake_llama_server.install import install_fake
from tests.hostile.arguments import SESSION, fitting_arguments, unfitting_arguments
from tests.support.client_process import LlamaMCP
from tests.support.raw_client import RawClient, raw_client

# Of each kind; fewer of a tool with few parameters.
EXAMPLES, EXAMPLES_PER_PARAMETER = 25, 5
# Many of these start a llama-server.
STARTS = 10
# What no schema tells, and what a start hands on to the system.
MORE_STARTS: list[dict[str, Any]] = [
    {"extra_args": ["--chat-template", "a\x00b"], "replace": True},
    {"extra_args": ["--chat-template", "x" * 200_000], "replace": True},
    {"model_path": "~no-such-user/model.gguf"},
    {"llama_cpp_path": "/proc/1/cwd/x"},
    {"ctx_size": 10**18, "parallel": 10**18, "replace": True},
    {"extra_args": ["/" * 5000]},
    {"port": 1, "replace": True},
]
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
    folder = tmp_path / "files"
    folder.mkdir()
    # Otherwise any name of save_to becomes a file where the tests are run.
    own = llama_mcp.having(LLAMA_CPP_PATH=str(fake), FILE_DIRS=str(folder), SAVE_DIRS=str(folder))
    async with raw_client(own) as client:
        await client.hello()
        await client.call("start_llama_server")
        yield client


@pytest.mark.slow
async def test_whatever_the_arguments_are_a_tool_answers_with_a_result_or_in_words(
    client: RawClient, capfd: pytest.CaptureFixture[str]
) -> None:
    tools = (await client.answer(await client.ask("tools/list")))["result"]["tools"]
    session_id = await new_session(client)
    faults: list[str] = []
    for tool in tools:
        schema = tool["inputSchema"]
        numbers = random.Random(tool["name"])
        count = min(EXAMPLES, EXAMPLES_PER_PARAMETER * (len(schema["properties"]) + 1))
        is_start = tool["name"] == "start_llama_server"
        inside = STARTS if is_start else count
        examples = [fitting_arguments(schema, numbers) for _ in range(inside)]
        examples += [unfitting_arguments(schema, numbers) for _ in range(count)]
        for arguments in examples + MORE_STARTS * is_start:
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
