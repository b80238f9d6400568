"""An agent with pydantic-ai, which reads a client's entry itself."""

import sys

from pydantic_ai import Agent
from pydantic_ai.mcp import load_mcp_toolsets
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


def main(entry: str, model_url: str, question: str) -> None:
    """Ask the question."""
    provider = OpenAIProvider(base_url=f"{model_url}/v1", api_key="none")
    model = OpenAIChatModel("scripted", provider=provider)
    print(Agent(model, toolsets=load_mcp_toolsets(entry)).run_sync(question).output)


main(*sys.argv[1:])
