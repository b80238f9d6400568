"""The main job over raw stdio: start, chat twice, see it, stop, and a closed stdin.

In one era llama-server is stopped before stdin is closed, in the other a reply is under way.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from llama_mcp.visible_text import visible
from tests.support.raw_client import RawClient
from tests.windows.stage import Stage, call, close, start

SERVER_URIS = ["status", "config", "metrics", "slots", "log"]


async def main_job(stage: Stage, era: str) -> str:
    """Do it in one era, `initialize` or `2026-07-28`."""
    # A reply that goes on without llama-mcp would hold everything up.
    variables = {} if era == "initialize" else {"FINISH_SECONDS": "0"}
    async with stage.client(**variables) as client:
        await (client.hello() if era == "initialize" else client.discover())
        listed = await client.answer(await client.ask("tools/list"))
        names = {tool["name"] for tool in listed["result"]["tools"]}
        assert {"start_llama_server", "stop_llama_server", "status", "chat"} <= names
        assert (await call(client, "get_config"))["running"] is False
        started = await start(client)
        assert (await call(client, "status"))["slots"] == {"total": 4, "busy": 0}
        config = await call(client, "get_config")
        assert config["llama_cpp_path"] == stage.windows.path(stage.executable), config
        session_id, replies = await _talk(client)
        await _read_resources(client, session_id, replies)
        assert (await call(client, "server_metrics"))["generated_tokens_total"] == 30
        assert (await call(client, "list_sessions", query="Grüße"))["total"] == 1
        if era == "initialize":
            assert (await call(client, "stop_llama_server"))["state"] == "stopped"
            assert (await call(client, "status"))["state"] == "stopped"
        else:
            await _begin_to_talk(client, session_id)
        await close(client)
    await stage.until_nothing_is_left()
    if era != "initialize":
        _check_interrupted(stage)
    return f"ready after {started['ready_after_seconds']:.1f} s"


async def _talk(client: RawClient) -> tuple[str, Sequence[str]]:
    first = await _chat(client, message="Grüße 😀", max_tokens=20)
    again = {"session_id": first["session_id"], "message": "And now?"}
    second = await _chat(client, max_tokens=10, **again)
    assert (first["turn"], second["turn"]) == (1, 2)
    assert second["usage"]["cached_tokens"] >= first["usage"]["prompt_tokens"] - 1
    return first["session_id"], (first["reply"], second["reply"])


async def _chat(client: RawClient, **arguments: Any) -> dict[str, Any]:
    """Return a reply whose progress, joined, is exactly its text."""
    meta = {"progressToken": "chat"}
    request = await client.ask("tools/call", name="chat", arguments=arguments, _meta=meta)
    streamed = ""
    while "result" not in (message := await client.next()) or message["id"] != request:
        if message.get("method") == "notifications/progress":
            streamed += message["params"].get("message", "")
    result = message["result"]
    assert not result.get("isError"), result["content"][0]["text"]
    reply: dict[str, Any] = result["structuredContent"]
    assert reply["status"] == "complete"
    assert streamed == reply["reply"] != ""
    return reply


async def _begin_to_talk(client: RawClient, session_id: str) -> None:
    arguments = {"session_id": session_id, "message": "Go on and on", "max_tokens": 3500}
    meta = {"progressToken": "interrupted"}
    await client.ask("tools/call", name="chat", arguments=arguments, _meta=meta)
    while not (await client.next()).get("params", {}).get("message"):
        pass


def _check_interrupted(stage: Stage) -> None:
    with closing(sqlite3.connect(stage.home / "sessions.db")) as archive:
        last = "SELECT status, length(reply) FROM turns ORDER BY turn DESC LIMIT 1"
        ((status, characters),) = archive.execute(last)
    assert status == "interrupted" and characters > 0, (status, characters)


async def _read_resources(client: RawClient, session_id: str, replies: Sequence[str]) -> None:
    for name in SERVER_URIS:
        assert await _read(client, f"llama://server/{name}"), f"{name} is empty"
    assert session_id in await _read(client, "llama://sessions")
    transcript = await _read(client, f"llama://sessions/{session_id}")
    lines = [line for reply in replies for line in visible(reply).split("\n")]
    assert all(text in transcript for text in ("Grüße 😀", *lines))


async def _read(client: RawClient, uri: str) -> str:
    answer = await client.answer(await client.ask("resources/read", uri=uri))
    text: str = answer["result"]["contents"][0]["text"]
    return text
