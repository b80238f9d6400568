"""An agent with LlamaIndex; it starts one llama-mcp for each call of a tool."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai_like import OpenAILike
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec


async def main(servers: dict[str, Any], model_url: str, question: str) -> None:
    """Ask the question."""
    server = servers["llama-mcp"]
    client = BasicMCPClient(server["command"], args=server["args"], env=server["env"])
    model = OpenAILike(
        model="scripted",
        api_base=f"{model_url}/v1",
        api_key="none",
        is_chat_model=True,
        is_function_calling_model=True,
    )
    tools = await McpToolSpec(client=client).to_tool_list_async()
    print(await FunctionAgent(tools=tools, llm=model).run(question))


entry = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
asyncio.run(main(entry["mcpServers"], *sys.argv[2:]))
