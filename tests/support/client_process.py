"""llama-mcp as a client sees it: the installed command over real pipes, by the official client."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from llama_mcp.surface.results.replies import RECEIPT
from tests.support.processes import PATIENCE_SECONDS
from tests.support.wire import Wire, watched

# How many models every llama-mcp of the tests may run; what they show holds for any number.
MAX_MODELS = os.environ.get("LLAMA_MCP_TEST_MAX_MODELS")
COMMAND = str(Path(sys.executable).with_name("llama-mcp"))


@dataclass
class Progress:
    """The progress notifications of one call."""

    values: list[float] = field(default_factory=list)
    totals: list[float | None] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    async def take(self, progress: float, total: float | None, message: str | None) -> None:
        self.values.append(progress)
        self.totals.append(total)
        if message is not None:
            self.messages.append(message)

    @property
    def text(self) -> str:
        return "".join(self.messages)

    @property
    def rises(self) -> bool:
        return all(a < b for a, b in zip(self.values, self.values[1:], strict=False))


@dataclass(frozen=True)
class LlamaMCP:
    """How to start llama-mcp: its home and its environment variables."""

    home: Path
    variables: dict[str, str]
    command: tuple[str, ...] = (COMMAND,)

    def having(self, **variables: str) -> "LlamaMCP":
        """Return the same with more variables; the prefix LLAMA_MCP_ is added."""
        named = {f"LLAMA_MCP_{name}": value for name, value in variables.items()}
        return replace(self, variables=self.variables | named)

    @property
    def environment(self) -> dict[str, str]:
        # No test leaves a llama-server for as long as a user's is kept.
        own = {"LLAMA_MCP_HOME": str(self.home), "LLAMA_MCP_LINGER_SECONDS": "0"}
        if MAX_MODELS is not None:
            own["LLAMA_MCP_MAX_MODELS"] = MAX_MODELS
        return own | self.variables

    @property
    def parameters(self) -> StdioServerParameters:
        program, *arguments = self.command
        assert shutil.which(program), f"{program} is not installed"
        return StdioServerParameters(command=program, args=arguments, env=self.environment)

    @asynccontextmanager
    async def connect(self, mode: str = "auto") -> AsyncIterator["Connection"]:
        wire = Wire()
        async with Client(watched(self.parameters, wire), mode=mode) as client:
            yield Connection(client)
        wire.check()


@dataclass
class Connection:
    """One connected client, with shorthands that fail when the answer is not what is expected."""

    client: Client

    async def call(
        self, tool: str, progress: Progress | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """Return the structure of a result that is no error."""
        result = await self.result(tool, progress, **arguments)
        assert not result.is_error, text_of(result)
        structure: dict[str, Any] | None = result.structured_content
        assert structure is not None
        return structure

    async def call_until(
        self, condition: Callable[[dict[str, Any]], bool], tool: str, **arguments: Any
    ) -> dict[str, Any]:
        """Call the tool again and again until its result is as it should become; return that."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while not condition(structure := await self.call(tool, **arguments)):
                await anyio.sleep(0.02)
        return structure

    async def reply_until(self, text: str, session_id: str) -> dict[str, Any]:
        """Wait until so much of the session's reply has come, and it has not ended.

        Returns the turn as read_session has it: a reply is told only once.
        """

        def has_come(page: dict[str, Any]) -> bool:
            turn = page["turns"][-1]
            assert turn["status"] == "in_progress", turn
            return bool(turn["reply"] == text)

        session = {"session_id": session_id}
        page = await self.call_until(has_come, "read_session", limit=200, **session)
        return {**page["turns"][-1], **session}

    async def rest_of_reply(
        self, part: dict[str, Any], progress: Progress | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """Wait for the end of a reply; return the last result, with all that was told of it."""
        told, session = part["reply"], {"session_id": part["session_id"]}
        while part["status"] in ("in_progress", "waiting"):
            part = await self.call("wait_for_reply", progress, **session, **arguments)
            told += part.get("reply", "")
        return {**part, "reply": told}

    async def refusal(self, tool: str, **arguments: Any) -> str:
        """Return the text of a result that is an error."""
        result = await self.result(tool, **arguments)
        assert result.is_error, f"not refused: {text_of(result)}"
        return text_of(result)

    async def result(
        self, tool: str, progress: Progress | None = None, **arguments: Any
    ) -> CallToolResult:
        callback = progress.take if progress else None
        result = await self.client.call_tool(tool, arguments, progress_callback=callback)
        assert isinstance(result, CallToolResult)
        return result

    async def receipt(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return what a result has beside its structure."""
        result = await self.result(tool, **arguments)
        assert not result.is_error and result.meta is not None, text_of(result)
        receipt: dict[str, Any] = result.meta[RECEIPT]
        return receipt

    async def read(self, uri: str) -> str:
        """Return the text of a resource."""
        contents = (await self.client.read_resource(uri)).contents[0]
        text: str = contents.text  # type: ignore[union-attr]  # none of ours is a blob
        return text


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")
