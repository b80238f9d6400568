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
# Of a turn its slot holds all but the last token, which nothing had to read.
UNREAD_TOKENS = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """A file, and how much of it the prompt begins with."""

    candidate: Candidate
    tokens: int
    """How many it holds."""
    common: int
    is_certain: bool
    """Whether it is of the session: else it may be another's that differs in its last words."""


def choices(found: Iterable[Candidate], prompt: "array[int]", kept: KeptPrompt) -> Iterator[Choice]:
    """Give the files that may be the session's by their tokens, the most in common first."""
    compared = sorted(_compared(found, prompt, kept), key=lambda choice: -choice.common)
    return (choice for choice in compared if _may_be_its_own(choice, kept))


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


def _compared(
    found: Iterable[Candidate], prompt: "array[int]", kept: KeptPrompt
) -> Iterator[Choice]:
    for candidate in found:
        try:
            header = read_header(candidate.path)
        except (OSError, NotAPromptCacheError):
            continue
        tokens = len(header.tokens)
        if not header.media and tokens == candidate.proof.tokens:
            common = common_length(header.tokens, prompt)
            yield Choice(candidate, tokens, common, _is_certain(candidate, tokens, kept))


def _is_certain(candidate: Candidate, tokens: int, kept: KeptPrompt) -> bool:
    """Tell whether a file is named after the session, or holds as much as its turn has left."""
    if candidate.run is None:
        return True
    turn = kept.served[candidate.run]
    is_known = turn.prompt_tokens is not None and turn.reply_tokens is not None
    left = (turn.prompt_tokens or 0) + (turn.reply_tokens or 0)
    return is_known and abs(left - tokens) <= UNREAD_TOKENS


def _may_be_its_own(choice: Choice, kept: KeptPrompt) -> bool:
    """Tell whether a file holds the session's last turn with its launch, and nothing behind it.

    It may all the same be of another session that differs in its last words only.
    """
    run = choice.candidate.run
    if run is None:
        return True
    turn, rest = kept.served[run], choice.tokens - choice.common
    holds_prompt = choice.common >= (turn.prompt_tokens or 0) - TEMPLATE_TAIL_TOKENS
    return holds_prompt and rest <= (turn.reply_tokens or 0) + TEMPLATE_TAIL_TOKENS
