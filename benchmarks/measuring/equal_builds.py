"""Two equal builds of llama-mcp with one llama-server, and a turn as both ways are asked for it."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from measuring.mcp_client import Server
from measuring.scene import LLAMA_MCP


def request(number: int, tokens: int) -> dict[str, Any]:
    """Return what is asked of both; the number keeps them from sharing more than a beginning."""
    return {
        "message": f"{number:06d}: tell me a long story about the sea",
        "system_prompt": "You are a helpful assistant.",
        "max_tokens": tokens,
        "temperature": 0,
    }


def as_body(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same request as llama-server takes it."""
    rest = {name: asked[name] for name in ("max_tokens", "temperature")}
    messages = [
        {"role": "system", "content": asked["system_prompt"]},
        {"role": "user", "content": asked["message"]},
    ]
    return {"messages": messages, **rest}


def settings_for(engine: str, model: Path | str) -> dict[str, Any]:
    """Return the settings that every part shares whose replies are measured."""
    return {"LLAMA_CPP_PATH": engine, "MODEL_PATH": model, "PORT": 0, "EXTRA_ARGS": "-t 1"}


def equal_builds(stack: ExitStack, environment: Mapping[str, str]) -> tuple[Server, Server, int]:
    """Start two processes with one home and its llama-server; return both and the port."""
    first, second = (stack.enter_context(Server(LLAMA_MCP, environment)) for _ in range(2))
    for server in (first, second):
        server.hello()
        port: int = server.call("start_llama_server")["port"]
    return first, second, port
