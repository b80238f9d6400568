"""How many tokens a prompt has, counted by llama-server for its real template."""

from collections.abc import Mapping, Sequence
from typing import Any

from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.errors import CompletionError
from llama_mcp.llama_server.ready_server import TEMPLATE_TOKENS_PER_MESSAGE


async def count_prompt_tokens(
    client: LlamaServerClient, messages: Sequence[Mapping[str, str]]
) -> int:
    """Return the tokens of a chat prompt, template included.

    Newer builds count themselves (2026); older ones render the template and tokenize; the oldest
    only tokenize, and then the template is allowed for.

    Raises:
        CompletionError: llama-server refuses the messages, or does not answer.
    """
    body = {"messages": list(messages)}
    counted = _field(await client.ask("/v1/chat/completions/input_tokens", body), "input_tokens")
    if isinstance(counted, int) and not isinstance(counted, bool) and counted >= 0:
        return counted
    prompt = _field(await client.ask("/apply-template", body), "prompt")
    if isinstance(prompt, str):
        return await _tokenize(client, prompt)
    contents = [message["content"] for message in messages]
    tokens = [await _tokenize(client, content) for content in contents]
    return sum(tokens) + TEMPLATE_TOKENS_PER_MESSAGE * len(messages)


async def _tokenize(client: LlamaServerClient, text: str) -> int:
    body = {"content": text, "add_special": True, "parse_special": True}
    tokens = _field(await client.ask("/tokenize", body), "tokens")
    if not isinstance(tokens, list):
        raise CompletionError(
            "this build of llama-server cannot count tokens",
            "Use a newer llama.cpp.",
        )
    return len(tokens)


def _field(answer: Any, name: str) -> Any:
    return answer.get(name) if isinstance(answer, dict) else None
