"""An agent with the OpenAI Agents SDK; it cuts off every call after five seconds."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from agents import Agent, OpenAIResponsesModel, Runner, set_tracing_disabled
from agents.mcp import MCPServerStdio
from openai import AsyncOpenAI


async def main(servers: dict[str, Any], model_url: str, question: str) -> None:
    """Ask the question."""
    set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=f"{model_url}/v1", api_key="none")
    async with MCPServerStdio(name="llama-mcp", params=servers["llama-mcp"]) as llama_mcp:
        model = OpenAIResponsesModel("scripted", client)
        agent = Agent(name="assistant", model=model, mcp_servers=[llama_mcp])
        print((await Runner.run(agent, question, max_turns=20)).final_output)


entry = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
asyncio.run(main(entry["mcpServers"], *sys.argv[2:]))
