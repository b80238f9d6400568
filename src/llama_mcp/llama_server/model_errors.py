"""What can be wrong with the model that would take a turn or rank texts."""

import math
from collections.abc import Sequence
from typing import Literal

from llama_mcp.errors import LlamaMCPError
from llama_mcp.wording import shortened

# How a turn has come by a model: none was named and it runs, the operator has set it, or the call
# has named it.
ModelSource = Literal["running", "default", "named"]
# Of a name that a caller has passed.
_SHOWN_CHARACTERS = 100
_WHOSE: dict[ModelSource, str] = {
    "running": "that runs",
    "default": "that is the operator's default (LLAMA_MCP_MODEL_PATH or LLAMA_MCP_MODELS)",
    "named": "that was asked for",
}


class CannotChatError(LlamaMCPError):
    """The model that would take a turn has no replies."""

    def __init__(self, model: str, what: str, instead: str, source: ModelSource) -> None:
        """Take what would have taken the turn.

        Args:
            model: its name.
            what: what it is instead of a model that chats.
            instead: models that can be started, with their sizes; may be empty.
            source: how the turn has come by it.
        """
        there = f" Models that can: {instead}." if instead else ""
        step = _NAME_ONE if instead else _FETCH_ONE
        super().__init__(
            f"The model {_WHOSE[source]} cannot chat: {model} is {what}. Nothing was sent or "
            f"kept.{there}",
            next_step=_REPLACE_BY_A_CHAT_MODEL if source == "running" else step,
        )


class NoRoomError(LlamaMCPError):
    """A model is wanted, and what runs may not be stopped for it."""

    def __init__(
        self, wanted: str, staying: Sequence[str], why: str, *, waiting_seconds: float
    ) -> None:
        """Take what stands against it.

        Args:
            wanted: the model.
            staying: each model that runs, with what it takes and why it stays; clauses.
            why: why it cannot be started beside them; a clause.
            waiting_seconds: for so long at least one of them stays, if nobody uses it meanwhile;
                infinite where waiting does not help.
        """
        self.waiting_seconds = waiting_seconds
        self.why = f"{why}, and {'; '.join(staying)}"
        super().__init__(
            f"There is no room for the model {wanted}: {self.why}. Nothing was sent or kept.",
            next_step=_ways_to_room(waiting_seconds),
        )


class UnknownModelError(LlamaMCPError):
    """There is no model of that name: none runs or ran under it, and none lies on this machine."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        """Take the name, and the models that run or ran, with their states."""
        there = f"There are: {', '.join(known)}." if known else "None runs, and none has run."
        none = "leave model out for the one that was started last."
        super().__init__(
            f"No model here is called {shortened(name, _SHOWN_CHARACTERS)}. {there}",
            next_step=f"Pass one of these names, or {none}" if known else "Leave model out.",
        )


class AmbiguousModelError(LlamaMCPError):
    """The beginning of several models' names."""

    next_step = "Pass the whole name of one of them."

    def __init__(self, name: str, meant: Sequence[str]) -> None:
        """Take what was passed, and the names that begin so."""
        super().__init__(
            f"Several models begin with {shortened(name, _SHOWN_CHARACTERS)}: {', '.join(meant)}."
        )


class CannotRankError(LlamaMCPError):
    """The model that would rank makes neither vectors nor scores."""

    def __init__(self, model: str, what: str, instead: str, source: ModelSource) -> None:
        """Take what would have ranked.

        Args:
            model: its name.
            what: what it is instead of a model that ranks.
            instead: models that can be started, with their sizes; may be empty.
            source: how the call has come by it.
        """
        there = f"Models that can: {instead}." if instead else _NONE_RANKS
        super().__init__(
            f"The model {_WHOSE[source]} cannot rank: {model} is {what}, which is never asked for "
            f"vectors. It was left as it is. {there}",
            next_step=_other_step(source) if instead else _FETCH_ONE,
        )


class NoRankModelError(LlamaMCPError):
    """No model that ranks was named, and there is none that must be meant."""

    def __init__(self, instead: str) -> None:
        """Take the models that could be meant, with their sizes; may be empty."""
        many = f"Several models can rank, and none was named: {instead}."
        super().__init__(
            many if instead else f"Nothing was ranked. {_NONE_RANKS}",
            next_step=_NAME_ONE if instead else _FETCH_ONE,
        )


class RankFailedError(LlamaMCPError):
    """llama-server gave no vectors or scores."""

    next_step = "{Status} to see whether it still runs, then call again."

    def __init__(self, problem: str) -> None:
        # llama.cpp's words (server-context.cpp) for a model whose header does not say how.
        is_unpooled = "Pooling type 'none'" in problem
        super().__init__(
            f"llama-server could not rank: {problem}.",
            next_step=_POOL_IT if is_unpooled else None,
        )


class RunByOthersError(LlamaMCPError):
    """What was asked for, only those can do who run the engine of the model."""

    next_step = "{Chat} to use it, or {status} to see whether it answers."

    def __init__(self, model: str, url: str) -> None:
        super().__init__(
            f"{model} is served at {url} by an engine that somebody else runs: llama-mcp neither "
            "starts nor stops it, nor changes its settings. Nothing was done."
        )


_REPLACE_BY_A_CHAT_MODEL = "{Start} with a chat model as model_path, and {replace}."
_NONE_RANKS = "There is no embedding or rerank model on this machine."
_FETCH_ONE = "Let the user choose one, then {download}."
_POOL_IT = (
    '{Start} with the same model_path, with "--pooling", "mean" (or as its author says) in '
    "extra_args, and {replace}."
)
_NAME_ONE = "Pass one of them as model."


def _ways_to_room(waiting_seconds: float) -> str:
    if math.isinf(waiting_seconds):
        return "{Stop_one} and call again, or name one that runs."
    when = f"in {math.ceil(waiting_seconds)} s" if waiting_seconds else "later"
    return f"Call again {when}, name one that runs, or {{stop_one}} first."


def _other_step(source: ModelSource) -> str:
    if source != "running":
        return _NAME_ONE
    start = "{start} with one of them as model_path, and {replace}"
    return f"Once nobody needs what runs, {start}."
