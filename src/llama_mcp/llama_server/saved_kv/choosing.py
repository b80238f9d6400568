"""Which of the saved files a prompt goes on from; pure but for reading their headers."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from llama_mcp.llama_server.restored_prompt import KeptPrompt
from llama_mcp.llama_server.saved_kv.header import (
    NotAPromptCacheError,
    common_length,
    read_header,
)
from llama_mcp.llama_server.saved_kv.records import SavedKv
from llama_mcp.llama_server.saved_kv.store import Candidate
from llama_mcp.wording import counted

# What a template may put round a message, and writes otherwise once the next one follows.
TEMPLATE_TAIL_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Choice:
    """A file, and how much of it the prompt begins with."""

    candidate: Candidate
    tokens: int
    """How many it holds."""
    common: int


def choices(found: Iterable[Candidate], prompt: "array[int]", kept: KeptPrompt) -> Iterator[Choice]:
    """Give the files that are the session's by their tokens, the one with most in common first."""
    compared = sorted(_compared(found, prompt), key=lambda choice: -choice.common)
    return (choice for choice in compared if choice.candidate.is_named or _is_its_own(choice, kept))


def why_useless(choice: Choice, prompt_tokens: int, kv: SavedKv, slot_ctx_size: int) -> str | None:
    """Return why a file does not help; None when it does."""
    if choice.common < kv.least_tokens:
        return f"it has {counted(choice.common, 'token')} in common with the prompt"
    if choice.tokens > slot_ctx_size:
        return f"it has {choice.tokens} tokens, and the window is {slot_ctx_size}"
    # llama-server would not find it among its slots (server-context.cpp, get_available_slot).
    if choice.common <= kv.similarity * prompt_tokens:
        return f"it is too small a part of a prompt of {prompt_tokens} tokens"
    return None


def _compared(found: Iterable[Candidate], prompt: "array[int]") -> Iterator[Choice]:
    for candidate in found:
        try:
            header = read_header(candidate.path)
        except (OSError, NotAPromptCacheError):
            continue
        if not header.media and len(header.tokens) == candidate.proof.tokens:
            common = common_length(header.tokens, prompt)
            yield Choice(candidate, len(header.tokens), common)


def _is_its_own(choice: Choice, kept: KeptPrompt) -> bool:
    """Tell whether a file holds the session's last turn, and nothing else behind it."""
    rest = choice.tokens - choice.common
    holds_prompt = choice.common >= (kept.prompt_tokens or 0) - TEMPLATE_TAIL_TOKENS
    return holds_prompt and rest <= (kept.reply_tokens or 0) + TEMPLATE_TAIL_TOKENS
