"""A process that never ends keeps llama-server no longer than people use it."""

from pathlib import Path

import pytest

from llama_mcp import upkeep
from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.llama_server.status import ServerState
from llama_mcp.opening import open_services
from llama_mcp.reading_settings import read_settings
from llama_mcp.services import Services
from llama_mcp.settings import inherited_environment
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from tests.support.processes import PATIENCE_SECONDS, has_llama_server, until


async def ignore(_: object) -> float:
    return 0.0


async def say(services: Services, message: str, max_tokens: int) -> str:
    request = ChatRequest(
        message=message, owner=LOCAL_OWNER, sampling=Sampling(max_tokens=max_tokens)
    )
    turn = await services.in_flight.take_turn(request)
    await turn.following.follow(PATIENCE_SECONDS, ignore)
    return (await turn.deliver()).status.value


async def test_while_nobody_has_a_turn_the_lease_is_given_back_and_the_next_takes_one_again(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "UNUSED_SECONDS", 0.5)
    monkeypatch.setattr(upkeep, "UNUSED_POLL_SECONDS", 0.05)
    settings = read_settings(
        {
            "LLAMA_MCP_HOME": str(tmp_path / "home"),
            "LLAMA_MCP_LLAMA_CPP_PATH": "embedded",
            "LLAMA_MCP_MODEL_PATH": str(tiny_model),
            "LLAMA_MCP_PORT": "0",
            "LLAMA_MCP_CTX_SIZE": "4096",
            "LLAMA_MCP_EXTRA_ARGS": "-t 1",
            "LLAMA_MCP_LINGER_SECONDS": "0",
        }
    )

    async with open_services(settings, inherited_environment(), never_ends=True) as services:
        # A turn that takes longer than a lease may be unused keeps it.
        assert await say(services, "hello", 3000) == "complete"
        await until(lambda: not has_llama_server(tmp_path), "llama-server has ended by itself")
        assert (await services.supervisor.status()).state is ServerState.STOPPED
        assert await say(services, "hello again", 1) == "complete"
        await until(lambda: not has_llama_server(tmp_path), "and so it has once more")
        keepers = services.supervisor.attachment.reap_keepers
        await until(lambda: keepers() == 0, "its keepers have left")
