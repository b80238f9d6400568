"""A value outside its range is refused by settings, launches, sampling and tools alike."""

from typing import Any

import pytest
from pydantic import ValidationError

from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.reading_settings import read_settings
from llama_mcp.settings import Settings
from llama_mcp.surface.server import build_server
from llama_mcp.turns.chat_request import Sampling

OF_A_START: list[tuple[str, Any]] = [
    ("port", -1),
    ("port", 65536),
    ("ctx_size", 0),
    ("ctx_size", 2**31 - 255),
    ("parallel", 0),
    ("parallel", 257),
    ("n_gpu_layers", -2),
    ("n_gpu_layers", 2**31),
]
OF_A_REPLY: list[tuple[str, Any]] = [
    ("temperature", -0.1),
    ("temperature", 2.1),
    ("top_p", 1.1),
    ("min_p", -0.1),
    ("temperature", float("nan")),
    ("temperature", float("inf")),
    ("top_p", float("nan")),
    ("min_p", float("-inf")),
    ("top_k", -1),
    ("top_k", 2**31),
    ("top_k", 2**32 + 1),
    ("max_tokens", 0),
    ("max_tokens", 2**31),
    ("seed", -1),
    ("seed", 2**32 - 1),
    ("seed", 2**32),
    ("stop", [""]),
]


@pytest.mark.parametrize(("name", "value"), OF_A_START)
async def test_a_start_refuses_it_wherever_it_comes_from(name: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=name):
        LaunchConfig.of(Settings(), LaunchArguments(**{name: value}))
    read = read_settings({f"LLAMA_MCP_{name.upper()}": str(value)})
    assert [fault.name for fault in read.faults] == [name]


@pytest.mark.parametrize(("name", "value"), OF_A_REPLY)
def test_sampling_refuses_it(name: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=name):
        Sampling.model_validate({name: value})


@pytest.mark.parametrize(
    ("tool", "name", "value"),
    [("start_llama_server", *case) for case in OF_A_START]
    + [("chat", *case) for case in OF_A_REPLY],
)
async def test_a_tool_refuses_it_and_names_the_parameter(tool: str, name: str, value: Any) -> None:
    server = build_server(Settings())
    arguments = {"message": "Hello", name: value} if tool == "chat" else {name: value}
    with pytest.raises(Exception, match=f"(?s){name}.*Correct this and call again"):
        await server.call_tool(tool, arguments)
