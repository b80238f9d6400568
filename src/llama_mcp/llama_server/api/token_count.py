"""How many tokens a text or a prompt has, counted by llama-server, for its real template."""

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from llama_mcp.llama_server.api.fields import count_or_none, member
from llama_mcp.llama_server.api.posting import Posts
from llama_mcp.llama_server.errors import CompletionError
from llama_mcp.llama_server.ready_server import TEMPLATE_TOKENS_PER_MESSAGE

# What projectors make of a picture lies between 64 and 4096 tokens; LLaVA's has 576.
PICTURE_TOKENS = 1024


async def count_prompt_tokens(client: Posts, messages: Sequence[Mapping[str, Any]]) -> int:
    """Return the tokens of a chat prompt, template included.

    Newer builds count themselves (2026); older ones render the template and tokenize; the oldest
    only tokenize, and then the template is allowed for. Those count no pictures.

    Raises:
        CompletionError: llama-server refuses the messages, or does not answer.
    """
    body = {"messages": list(messages)}
    answer = await client.post("/v1/chat/completions/input_tokens", body)
    counted = count_or_none(member(answer, "input_tokens"))
    if counted is not None:
        return counted
    contents = [message["content"] for message in messages]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    pictures: int = sum(part.get("type") == "image_url" for part in parts)
    prompt = member(await client.post("/apply-template", body), "prompt")
    if isinstance(prompt, str):
        return await count_tokens(client, prompt) + pictures * PICTURE_TOKENS
    texts = [content for content in contents if isinstance(content, str)]
    texts += [part["text"] for part in parts if part.get("type") == "text"]
    tokens = [await count_tokens(client, text) for text in texts]
    return sum(tokens) + TEMPLATE_TOKENS_PER_MESSAGE * len(messages) + pictures * PICTURE_TOKENS


async def prompt_tokens_of(client: Posts, body: Mapping[str, Any]) -> "array[int] | None":
    """Return the tokens that the model would read for a chat request; None where none tells.

    Raises:
        CompletionError: llama-server refuses the request, or does not answer.
    """
    prompt = member(await client.post("/apply-template", body), "prompt")
    if not isinstance(prompt, str):
        return None
    # As llama-server takes a chat's prompt in (server-common.cpp, tokenize_input_prompts).
    whole = {"content": prompt, "add_special": True, "parse_special": True}
    tokens = member(await client.post("/tokenize", whole), "tokens")
    try:
        return array("i", tokens) if isinstance(tokens, list) and tokens else None
    except (TypeError, OverflowError):
        return None


async def count_tokens(client: Posts, text: str) -> int:
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
