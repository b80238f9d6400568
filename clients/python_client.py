"""Takes the walk with the official Python client.

    python -m clients.python_client COMMAND legacy|modern

COMMAND is the installed llama-mcp; its settings are this process's LLAMA_MCP_ variables. The steps
are those of walk.mjs, which the TypeScript clients take; every step fails when it does not get what
is promised. The client itself holds each result against the tool's output schema. What was done is
printed as one JSON line.
"""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp.types import (
    PromptReference,
    ResourceListChangedNotification,
    ResourceUpdatedNotification,
    TextContent,
    TextResourceContents,
    Tool,
)

MODES = {"legacy": "legacy", "modern": "auto"}
STATUS_URI = "llama://server/status"
INDEX_URI = "llama://sessions"
NO_MODEL = "nobody/nothing"
# In the folder that LLAMA_MCP_FILE_DIRS names.
FILE = "note.txt"
PATIENCE_SECONDS = 20.0
# Long enough that a reply is still being written when it is cancelled.
LONG_REPLY_TOKENS = 20_000


@dataclass
class Heard:
    """What the server told without being asked."""

    updated: set[str] = field(default_factory=set)
    is_list_changed: bool = False

    async def take(self, message: object) -> None:
        """Note a notification of the initialize era, or an event of 2026-07-28."""
        if isinstance(message, ResourceUpdatedNotification):
            self.updated.add(str(message.params.uri))
        elif isinstance(message, ResourceUpdated):
            self.updated.add(message.uri)
        elif isinstance(message, ResourceListChangedNotification | ResourcesListChanged):
            self.is_list_changed = True

    async def until_updated(self, uri: str) -> None:
        """Wait until the resource is said to have changed."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while uri not in self.updated:
                await anyio.sleep(0.01)

    async def until_list_changed(self) -> None:
        """Wait until the list of resources is said to have changed."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while not self.is_list_changed:
                await anyio.sleep(0.01)


@dataclass
class Walk:
    """One client on its way, and what it has done."""

    client: Client
    heard: Heard
    called: set[str] = field(default_factory=set)

    async def take(self) -> list[str]:
        """Take every step; return their names."""
        tools = await self._list()
        async with self._subscription():
            await self._start()
            session_id = await self._chat()
            await self._get_prompt(session_id)
            await self._cancel(session_id)
            await self._call_the_rest(tools, session_id)
            await self._stop()
        done = ["list", "subscribe", "start", "chat with progress", "read", "prompt", "cancel"]
        return [*done, f"{len(self.called)} tools", "stop"]

    async def _call(self, name: str, **arguments: Any) -> dict[str, Any]:
        self.called.add(name)
        result = await self.client.call_tool(name, arguments)
        assert not result.is_error, f"{name}: {result.content}"
        assert isinstance(result.structured_content, dict), f"{name} gives no structure"
        return result.structured_content

    async def _read(self, uri: str) -> str:
        contents = (await self.client.read_resource(uri)).contents[0]
        assert isinstance(contents, TextResourceContents)
        return contents.text

    async def _list(self) -> list[Tool]:
        tools = (await self.client.list_tools()).tools
        assert {"start_llama_server", "chat"} <= {tool.name for tool in tools}
        assert all(tool.output_schema for tool in tools)
        uris = {resource.uri for resource in (await self.client.list_resources()).resources}
        assert {STATUS_URI, INDEX_URI} <= uris
        assert len((await self.client.list_resource_templates()).resource_templates) >= 2
        return tools

    @asynccontextmanager
    async def _subscription(self) -> AsyncIterator[None]:
        uris = [STATUS_URI, INDEX_URI]
        if self.client.mode == "legacy":
            for uri in uris:
                await self.client.subscribe_resource(uri)
            yield
            return
        events = self.client.listen(resource_subscriptions=uris, resources_list_changed=True)
        async with events as subscription, anyio.create_task_group() as tasks:

            async def listen() -> None:
                async for event in subscription:
                    await self.heard.take(event)

            tasks.start_soon(listen)
            yield
            tasks.cancel_scope.cancel()

    async def _start(self) -> None:
        assert (await self._call("start_llama_server"))["state"] == "ready"
        await self.heard.until_updated(STATUS_URI)
        assert json.loads(await self._read(STATUS_URI))["state"] == "ready"

    async def _chat(self) -> str:
        texts: list[str] = []
        values: list[float] = []

        async def take(progress: float, total: float | None, message: str | None) -> None:
            values.append(progress)
            texts.append(message or "")

        arguments = {"message": "Hello", "max_tokens": 40, "seed": 1, "temperature": 0}
        result = await self.client.call_tool("chat", arguments, progress_callback=take)
        self.called.add("chat")
        reply = result.structured_content
        assert reply and reply["status"] == "complete", result.content
        assert reply["reply"] and "".join(texts) == reply["reply"], texts
        assert all(a < b for a, b in zip(values, values[1:], strict=False)), values
        await self.heard.until_updated(INDEX_URI)
        await self.heard.until_list_changed()
        await self._read_resources(reply)
        return str(reply["session_id"])

    async def _read_resources(self, reply: dict[str, Any]) -> None:
        for resource in (await self.client.list_resources()).resources:
            assert await self._read(resource.uri), f"{resource.uri} is empty"
        uri = f"{INDEX_URI}/{reply['session_id']}"
        data = json.loads(await self._read(f"{uri}.json"))
        assert data["turns"][0]["reply"] == reply["reply"]
        assert "Hello" in await self._read(uri)

    async def _get_prompt(self, session_id: str) -> None:
        prompts = (await self.client.list_prompts()).prompts
        assert {"ask", "go_on"} <= {prompt.name for prompt in prompts}
        reference = PromptReference(name="go_on")
        typed = {"name": "session_id", "value": session_id[:3]}
        assert session_id in (await self.client.complete(reference, typed)).completion.values
        got = await self.client.get_prompt("go_on", {"session_id": session_id, "message": "Go on"})
        content = got.messages[0].content
        assert isinstance(content, TextContent) and session_id in content.text

    async def _cancel(self, session_id: str) -> None:
        received = ""

        async def take(progress: float, total: float | None, message: str | None) -> None:
            nonlocal received
            received += message or ""
            if received:
                scope.cancel()

        message = {"session_id": session_id, "message": "Go on", "max_tokens": LONG_REPLY_TOKENS}
        with anyio.CancelScope() as scope:
            await self.client.call_tool("chat", message, progress_callback=take)
        assert scope.cancelled_caught, "the reply came before it was cancelled"
        # The cancellation went out before this question.
        reply = await self._call("wait_for_reply", session_id=session_id)
        assert reply["status"] == "cancelled"
        assert reply["reply"].startswith(received), "what was received is not kept"

    async def _call_the_rest(self, tools: list[Tool], session_id: str) -> None:
        """Call every other tool, so that each one's result is held against its schema."""
        fork = await self._call("fork_session", session_id=session_id)
        await self._call("delete_session", session_id=fork["session_id"])
        await self._call("update_session", session_id=session_id, title="A walk")
        # Nobody is at the address of the hub: it goes on trying until it is cancelled.
        await self._call("download_model", model=NO_MODEL, wait_seconds=0)
        await self._call("download_model", model=NO_MODEL, cancel=True)
        # The model of the walk chats: it is never asked for vectors.
        given = {"query": "Hello", "texts": ["Hello"]}
        refused = await self.client.call_tool("rank_texts", given)
        assert refused.is_error and "chat model" in str(refused.content)
        self.called.add("rank_texts")
        await self._call(
            "run_on_files", instruction="Sum up", files=[FILE], max_tokens=8, temperature=0
        )
        for tool in tools:
            if tool.name in self.called or tool.name == "stop_llama_server":
                continue
            required = set(tool.input_schema.get("required", ()))
            assert required <= {"session_id"}, f"the walk has no arguments for {tool.name}"
            await self._call(tool.name, **dict.fromkeys(required, session_id))

    async def _stop(self) -> None:
        # llama-server frees the slot of the cancelled reply a moment after it is cancelled.
        with anyio.fail_after(PATIENCE_SECONDS):
            while (await self._call("status")).get("slots", {}).get("busy"):
                await anyio.sleep(0.01)
        self.heard.updated.discard(STATUS_URI)
        assert (await self._call("stop_llama_server"))["state"] == "stopped"
        await self.heard.until_updated(STATUS_URI)


async def main(command: str, era: str) -> None:
    """Take the walk in one era."""
    ours = ("LLAMA_MCP_", "HF_")
    settings = {name: value for name, value in os.environ.items() if name.startswith(ours)}
    parameters = StdioServerParameters(command=command, env=settings)
    heard = Heard()
    async with Client(parameters, mode=MODES[era], message_handler=heard.take) as client:
        done = await Walk(client, heard).take()
        version = client.protocol_version
    print(json.dumps({"version": version, "era": era, "done": done}))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2])
