"""An agent with langchain-mcp-adapters; it starts one llama-mcp for each call of a tool."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_openai import ChatOpenAI


async def main(servers: dict[str, Any], model_url: str, question: str) -> None:
    """Ask the question."""
    client = MultiServerMCPClient(
        {name: {"transport": "stdio", "args": [], **server} for name, server in servers.items()}
    )
    model = ChatOpenAI(model="scripted", base_url=f"{model_url}/v1", api_key="none")
    agent = create_agent(model, await client.get_tools())
    answer = await agent.ainvoke({"messages": [{"role": "user", "content": question}]})
    print(answer["messages"][-1].content)


entry = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
asyncio.run(main(entry["mcpServers"], *sys.argv[2:]))
