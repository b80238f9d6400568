"""An agent with AutoGen; it cuts off every call after five seconds."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import ModelInfo
from autogen_ext.models.openai import OpenAIChatCompletionClient
from autogen_ext.tools.mcp import McpWorkbench, StdioServerParams


async def main(servers: dict[str, Any], model_url: str, question: str) -> None:
    """Ask the question."""
    about = ModelInfo(
        vision=False,
        function_calling=True,
        json_output=False,
        structured_output=False,
        family="unknown",
    )
    model = OpenAIChatCompletionClient(
        model="scripted", base_url=f"{model_url}/v1", api_key="none", model_info=about
    )
    async with McpWorkbench(StdioServerParams(**servers["llama-mcp"])) as workbench:
        agent = AssistantAgent(
            "assistant", model_client=model, workbench=workbench, max_tool_iterations=20
        )
        print((await agent.run(task=question)).messages[-1].content)


entry = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
asyncio.run(main(entry["mcpServers"], *sys.argv[2:]))
