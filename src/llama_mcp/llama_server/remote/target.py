"""Which engine is meant, as the operator says it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# How many turns at once an engine is asked for that does not say how many it takes.
DEFAULT_PARALLEL = 2
# The window that an engine is taken to have when nobody says it: Ollama's, the smallest in use.
GUESSED_CTX_SIZE = 4096


@dataclass(frozen=True, slots=True)
class RemoteTarget:
    """An engine that somebody else runs."""

    url: str
    """Where it is: http or https, with or without a path, with or without `/v1` at its end; as
    `wire/urls.py` takes it (checked_url says what is wrong with one)."""
    name: str | None = None
    """By which callers know it: what a chat takes as `model`, and what is archived. None takes the
    name of the model that is asked for."""
    model: str | None = None
    """What is sent as `model` in each request. None takes the only model that it lists, or the
    first."""
    key_file: Path | None = None
    """Holds the key, which is sent as a bearer token; read again when the file changes. None sends
    no key."""
    ctx_size: int | None = None
    """The window of each conversation, in tokens, for an engine that does not tell its own. None
    guesses 4096."""
    parallel: int | None = None
    """How many turns it is asked for at once. None takes what it tells (llama-server: its slots),
    else 2."""
    ranks: Literal["embedding", "rerank"] | None = None
    """What its model makes instead of replies. None finds out by asking, when a ranking wants
    it."""
    system_prompt: str | None = None
    """What the model is told in a session that has none."""
