"""Agents built on Python frameworks; clients/agents has them."""

from collections.abc import Callable

from clients.programs.program import QUESTION, ROOT, Index, Invocation, Program, Situation


def _agent(file: str) -> Callable[[Situation], Invocation]:
    def invocation(situation: Situation) -> Invocation:
        entry = situation.write("entry.json", {"mcpServers": {"llama-mcp": situation.entry()}})
        python = str(situation.installed / "bin" / "python")
        agent = str(ROOT / "clients" / "agents" / file)
        return Invocation([python, agent, str(entry), situation.model_url, QUESTION], {})

    return invocation


# What some frameworks wait for a call, as they ship: shorter than the others' limit.
_IMPATIENT = 3


FRAMEWORKS = (
    Program(
        "LangChain",
        Index.PYPI,
        ("langchain-mcp-adapters==0.3.2", "langchain==1.5.2", "langchain-openai==1.7.4"),
        _agent("langchain_agent.py"),
        has_one_for_each_call=True,
    ),
    Program(
        "OpenAI Agents SDK",
        Index.PYPI,
        ("openai-agents==0.24.0",),
        _agent("openai_agent.py"),
        wait_seconds=_IMPATIENT,
    ),
    Program(
        "pydantic-ai",
        Index.PYPI,
        ("pydantic-ai-slim[mcp,openai]==2.68.0",),
        _agent("pydantic_agent.py"),
    ),
)
MORE_FRAMEWORKS = (
    Program(
        "AutoGen",
        Index.PYPI,
        ("autogen-ext[mcp,openai]==0.7.5", "autogen-agentchat==0.7.5", "mcp==1.30.0"),
        _agent("autogen_agent.py"),
        is_light=False,
        wait_seconds=_IMPATIENT,
    ),
    Program(
        "Google ADK",
        Index.PYPI,
        ("google-adk[mcp]==2.13.0",),
        _agent("adk_agent.py"),
        is_light=False,
        wait_seconds=_IMPATIENT,
    ),
    Program(
        "agno",
        Index.PYPI,
        ("agno==3.1.10", "fastmcp==4.2.3", "mcp==2.3.0", "openai==3.57.0"),
        _agent("agno_agent.py"),
        is_light=False,
        wait_seconds=_IMPATIENT,
    ),
    Program(
        "LlamaIndex",
        Index.PYPI,
        ("llama-index-tools-mcp==0.6.0", "llama-index-llms-openai-like==0.8.1"),
        _agent("llama_index_agent.py"),
        is_light=False,
        has_one_for_each_call=True,
    ),
)
