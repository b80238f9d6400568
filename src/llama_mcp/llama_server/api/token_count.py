"""How many tokens a text or a prompt has, counted by llama-server, for its real template."""

from collections.abc import Mapping, Sequence

from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.fields import count_or_none, member
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
    answer = await client.post("/v1/chat/completions/input_tokens", body)
    counted = count_or_none(member(answer, "input_tokens"))
    if counted is not None:
        return counted
    prompt = member(await client.post("/apply-template", body), "prompt")
    if isinstance(prompt, str):
        return await count_tokens(client, prompt)
    contents = [message["content"] for message in messages]
    tokens = [await count_tokens(client, content) for content in contents]
    return sum(tokens) + TEMPLATE_TOKENS_PER_MESSAGE * len(messages)


async def count_tokens(client: LlamaServerClient, text: str) -> int:
    """Return the tokens of a text by itself, those included that begin and end every input.

    Raises:
        CompletionError: llama-server cannot count, or does not answer.
    """
    body = {"content": text, "add_special": True, "parse_special": True}
    tokens = member(await client.post("/tokenize", body), "tokens")
    if not isinstance(tokens, list):
        raise CompletionError(
            "this build of llama-server cannot count tokens",
            "Use a newer llama.cpp.",
        )
    return len(tokens)
