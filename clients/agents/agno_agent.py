"""An agent with agno; it cuts off every call after ten seconds."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from agno.agent import Agent
from agno.models.openai.like import OpenAILike
from agno.tools.mcp import MCPTools
from mcp import StdioServerParameters


async def main(servers: dict[str, Any], model_url: str, question: str) -> None:
    """Ask the question."""
    model = OpenAILike(id="scripted", base_url=f"{model_url}/v1", api_key="none")
    server = StdioServerParameters(**servers["llama-mcp"])
    async with MCPTools(server_params=server, transport="stdio") as tools:
        print((await Agent(model=model, tools=[tools], telemetry=False).arun(question)).content)


entry = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
asyncio.run(main(entry["mcpServers"], *sys.argv[2:]))
