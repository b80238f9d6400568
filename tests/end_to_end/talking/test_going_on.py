"""A real llama-server that is killed in mid-reply: the reply goes on where it broke off."""

import os
import re
from dataclasses import dataclass
from typing import Any

import psutil
import pytest

from tests.support.client_process import Connection, LlamaMCP, Progress


@dataclass
class KillAtFirstText(Progress):
    """Kills llama-server as soon as some of the reply is there."""

    pid: int | None = None

    async def take(self, progress: float, total: float | None, message: str | None) -> None:
        await super().take(progress, total, message)
        if message and self.pid is not None:
            psutil.Process(self.pid).kill()
            self.pid = None


async def ask_killing(connection: Connection, pid: int, **asked: Any) -> dict[str, Any]:
    """Return the reply to a chat whose llama-server is killed, and that it goes on is told."""
    told = KillAtFirstText(pid=pid)
    reply = await connection.call("chat", told, **asked)
    assert (reply["status"], told.text) == ("complete", reply["reply"])
    assert any("goes on where it broke off" in note for note in reply["notes"])
    return reply


async def test_a_reply_whose_llama_server_is_killed_has_each_token_once(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    settings = {"LLAMA_CPP_PATH": engine, "CTX_SIZE": "4096", "PARALLEL": "1"}
    asked = {"message": "Go on and on", "temperature": 0, "max_tokens": 3000, "wait_seconds": 600}
    async with llama_mcp.having(**settings).connect() as connection:
        started = await connection.call("start_llama_server")
        reply = await ask_killing(connection, started["pid"], **asked)
    # Each token of the tiny model is a character.
    assert len(reply["reply"]) == reply["usage"]["completion_tokens"] == 3000


@pytest.mark.slow
async def test_a_reply_whose_llama_server_is_killed_is_the_one_that_it_would_have_been(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    """The starter model: the tiny one's weights are noise, and roundings decide what it says.

    Of the starter model's words they decide one now and then, long after it has gone on.
    """
    settings = {"LLAMA_CPP_PATH": engine, "MODEL_PATH": "", "CTX_SIZE": "2048", "PARALLEL": "1"}
    asked = {"message": "Tell me a story.", "temperature": 0, "max_tokens": 100}
    asked |= {"wait_seconds": 600}
    async with llama_mcp.having(**settings).connect() as connection:
        started = await connection.call("start_llama_server")
        expected = await connection.call("chat", None, **asked)
        reply = await ask_killing(connection, started["pid"], **asked)
    broke_off_at = re.search("after ([0-9]+) character", " ".join(reply["notes"]))
    assert broke_off_at
    alike = os.path.commonprefix([reply["reply"], expected["reply"]])
    assert len(alike) > int(broke_off_at[1])
