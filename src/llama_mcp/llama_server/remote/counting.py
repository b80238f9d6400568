"""How many tokens a prompt has: counted by the engine where it can, else estimated."""

from collections.abc import Mapping, Sequence
from typing import Any

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.api.fields import count_or_none, member
from llama_mcp.llama_server.api.token_count import count_prompt_tokens, count_tokens
from llama_mcp.llama_server.errors import CompletionError
from llama_mcp.llama_server.remote.access import Access
from llama_mcp.llama_server.remote.errors import (
    RemoteBusyError,
    RemoteRefusedError,
    RemoteRequestError,
)
from llama_mcp.llama_server.remote.estimates import rough_tokens_of
from llama_mcp.llama_server.remote.look import Counting

INPUT_TOKENS, TOKENIZE = "/v1/chat/completions/input_tokens", "/tokenize"


def counting_of(access: Access) -> Counting:
    """Return how it counts, as far as that was found out."""
    if access.counting is not None:
        return access.counting
    is_llama = access.facts is not None and access.facts.kind != "openai"
    return "input_tokens" if is_llama else "estimate"


async def count_prompt(access: Access, messages: Sequence[Mapping[str, Any]]) -> int:
    """Return the tokens of a prompt, template included; of some engines, about as many.

    Raises:
        LlamaMCPError: a llama-server refuses the messages, or the engine does not answer.
    """
    facts = access.facts or await access.refresh()
    if facts.kind == "openai":
        return await _count_with_others(access, messages)
    seen = _Seen(access)
    try:
        tokens = await count_prompt_tokens(seen, messages)
    except RemoteBusyError:  # the turn itself waits for as long as it is asked to
        return access.estimates.estimate(messages)
    except CompletionError:  # a build that cannot even tokenize
        access.counting = "estimate"
        return access.estimates.estimate(messages)
    access.counting = "template" if INPUT_TOKENS in seen.absent else "input_tokens"
    return tokens


async def _count_with_others(access: Access, messages: Sequence[Mapping[str, Any]]) -> int:
    steps: dict[Counting, tuple[str, str]] = {
        "input_tokens": (INPUT_TOKENS, "input_tokens"),
        "tokenize": (TOKENIZE, "count"),  # vLLM's
    }
    for counting, (path, name) in steps.items():
        if access.counting not in (None, counting):
            continue
        try:
            answer = await access.post(path, {"messages": list(messages)})
        except RemoteBusyError:
            return access.estimates.estimate(messages)
        except (RemoteRequestError, RemoteRefusedError):
            answer = None  # another endpoint of that name, or one that the key does not open
        tokens = count_or_none(member(answer, name))
        if tokens:
            access.counting = counting
            return tokens
    access.counting = "estimate"
    return access.estimates.estimate(messages)


async def count_text(access: Access, text: str) -> int:
    """Return the tokens of a text by itself, or about as many.

    Raises:
        LlamaMCPError: the engine does not answer.
    """
    facts = access.facts or await access.refresh()
    try:
        if facts.kind != "openai":
            return await count_tokens(access, text)
        answer = await access.post(TOKENIZE, {"prompt": text})
    except LlamaMCPError as error:
        if not isinstance(error, CompletionError | RemoteRequestError):
            raise
        answer = None
    return count_or_none(member(answer, "count")) or int(rough_tokens_of(text)) + 1


class _Seen:
    """Posts, and notes which endpoints there are not."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.absent: set[str] = set()

    async def post(
        self, path: str, body: Mapping[str, Any], timeout_seconds: float = 30.0
    ) -> Any | None:
        """Return the answer; None where there is no such endpoint."""
        answer = await self._access.post(path, body, timeout_seconds)
        if answer is None:
            self.absent.add(path)
        return answer
