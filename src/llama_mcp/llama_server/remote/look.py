"""What an engine has told of itself, and what is taken for granted where it has not."""

from dataclasses import dataclass
from typing import Literal

from llama_mcp.errors import LlamaMCPError

# `openai`: it answers /v1/models and nothing that only llama-server has.
EngineKind = Literal["llama-server", "router", "openai"]
# `told` by the engine, also in a refusal; a `setting` of the operator's; a `guess` without one.
Source = Literal["told", "setting", "guess"]
# How a prompt's tokens are counted; all but `estimate` give what the model reads.
Counting = Literal["input_tokens", "template", "tokenize", "estimate"]


@dataclass(frozen=True, slots=True)
class RemoteLook:
    """An engine at one moment. Of one that was never reached, only the settings are known."""

    url: str
    """Its base, without `/v1` and without a key."""
    is_reachable: bool
    """It answers. That says nothing of whether its model is loaded."""
    problem: LlamaMCPError | None
    """Why it is not reachable, or why it cannot be used (a wrong key, no such model)."""
    kind: EngineKind | None
    """None when it was never reached."""
    model: str | None
    """What is asked for; None when neither a setting nor the engine says it."""
    models: tuple[str, ...]
    """What it lists."""
    is_loading: bool
    """Its model is not loaded yet; the next turn waits for it."""
    ctx_size: int
    """The window of each conversation, in tokens."""
    ctx_size_source: Source
    total_slots: int
    """How many turns it is asked for at once."""
    total_slots_source: Source
    counting: Counting
    """How tokens are counted, as far as it was found out yet."""
    has_slots: bool
    """It tells what each slot does (RemoteEngine.slots)."""
    has_metrics: bool
    """It has Prometheus figures (RemoteEngine.metrics_text)."""
    has_timings: bool | None
    """Its replies carry its own figures of time; None until one has come."""
    build: str | None
    """What it says of its version."""
    model_ctx_size: int | None
    """How long a context its model was trained for."""
    sees_pictures: bool | None
    asked_seconds_ago: float
    """How old this is; infinite when it was never asked."""

    @property
    def guesses(self) -> str | None:
        """What of its window and of counts it has not told, in sentences; None when all is."""
        return guesses_of(self.ctx_size, self.ctx_size_source, self.counting)


def guesses_of(ctx_size: int, source: Source, counting: Counting) -> str | None:
    """Return what is no fact of a window and of counts, in sentences; None when all is told."""
    said = []
    if source == "setting":
        said.append(f"The window of {ctx_size} is the operator's setting: the engine tells none.")
    elif source == "guess":
        said.append(f"The window of {ctx_size} is a guess: the engine tells none.")
    if counting == "estimate":
        said.append("Its tokens are estimated, not counted.")
    return " ".join(said) or None
