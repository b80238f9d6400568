"""What is said of a prompt that is longer than the window, by each server in its own words."""

import re

# llama-server; vLLM, OpenAI and what stands before them; LiteLLM; SGLang; Ollama; LM Studio;
# text-generation-inference; and gateways that pass on what others say.
TOO_LONG = re.compile(
    r"exceed_context_size|exceeds the available context size"
    r"|max(imum)? context length|context length (is|of) only|model'?s context length"
    r"|too long to fit into the model|maximum input length"
    r"|context_length_exceeded|context window ?exceeded|ContextWindowExceeded"
    r"|longer than the model.s context length|exceeds the maximum allowed (input )?length"
    r"|(exceeds|exceeded|greater than) (the )?(max(imum)? )?context (length|window|limit)"
    r"|context window exceeds|exceeded model token limit|combined input and output tokens"
    r"|prompt is too long|token count of \d+ exceeds"
    r"|must be <= \d+\. Given: \d+ `inputs`",
    re.IGNORECASE,
)
_WINDOW = (
    re.compile(r"n_ctx: (\d+)"),
    re.compile(r"available context size \((\d+)", re.IGNORECASE),
    re.compile(r"context (?:length|window)(?: is| of)?(?: only)? \(?(\d+)", re.IGNORECASE),
    re.compile(r"(\d+) maximum(?: context length)?\b", re.IGNORECASE),
    re.compile(r"maximum allowed (?:input )?length (?:of )?\(?(\d+)", re.IGNORECASE),
    re.compile(r"(?:must be <=|at most|limit of|token limit:) (\d+)", re.IGNORECASE),
)
_PROMPT = (
    re.compile(r"n_keep: (\d+)"),
    re.compile(r"request \((\d+) tokens\) exceeds", re.IGNORECASE),
    re.compile(r"messages resulted in (\d+) tokens", re.IGNORECASE),
    re.compile(r"\((\d+) in (?:the|your) (?:messages|prompt)", re.IGNORECASE),
    re.compile(r"(\d+) tokens from the input messages", re.IGNORECASE),
    re.compile(r"(?:has|have|passed|contains|least|first) (\d+) (?:input )?tokens", re.IGNORECASE),
    re.compile(r"too long: (\d+) tokens", re.IGNORECASE),
    re.compile(r"total length (\d+)\)", re.IGNORECASE),
    re.compile(r"input (?:length )?\((\d+) tokens\)", re.IGNORECASE),
    re.compile(r"(?:token count of|Given:|requested:) (\d+)", re.IGNORECASE),
)


def figures_in(text: str) -> tuple[int | None, int | None]:
    """Return how many tokens the engine takes, and how many the prompt has, where they are said."""
    # Some gateways write separators into numbers.
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    return _first(_WINDOW, plain), _first(_PROMPT, plain)


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> int | None:
    for pattern in patterns:
        if match := pattern.search(text):
            # No machine has a window of more digits.
            return int(match[1]) or None if len(match[1]) <= len("999999999999") else None
    return None
