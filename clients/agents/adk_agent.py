"""An agent with Google's ADK; it cuts off every call after five seconds."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from google.adk.agents import LlmAgent
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams
from mcp import StdioServerParameters


async def main(servers: dict[str, Any], question: str) -> None:
    """Ask the question."""
    server = StdioServerParameters(**servers["llama-mcp"])
    tools = McpToolset(connection_params=StdioConnectionParams(server_params=server))
    agent = LlmAgent(name="assistant", model="gemini-2.5-flash", tools=[tools])
    runner = InMemoryRunner(agent=agent)
    for event in await runner.run_debug(question, quiet=True):
        for part in event.content.parts if event.content else []:
            print(part.text or "", end="")
    print()
    await runner.close()


os.environ |= {"GOOGLE_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": sys.argv[2]}
entry = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
asyncio.run(main(entry["mcpServers"], sys.argv[3]))
