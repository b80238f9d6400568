"""All that ranking may know of a llama-server: an interface, as ready_server.py is for turns."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from llama_mcp.llama_server.ready_server import ModelLoad, TellLoad

# What its model makes: vectors of texts, or scores of how well they answer a query.
RankKind = Literal["embedding", "rerank"]
# As llama-server gives it: 32-bit floats, in most builds of length one.
if TYPE_CHECKING:
    Vector: TypeAlias = array[float]
else:
    Vector = array  # which takes no type before Python 3.12


@dataclass(frozen=True, slots=True)
class Scores:
    """How well texts answer a query."""

    scores: Sequence[float | None]
    """The model's own numbers, in the order of the texts; None where it gave none."""
    tokens: int
    """All that was read."""


class RankServer(Protocol):
    """A llama-server whose model ranks, or will once it has loaded."""

    @property
    def load(self) -> ModelLoad | None:
        """How far its model was when it was asked for; None of one that answers."""

    async def when_ready(self, tell: TellLoad) -> "RankServer":
        """Return it once it answers.

        Raises:
            LlamaMCPError: it did not get ready, and why.
        """

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def kind(self) -> RankKind:
        """What its model makes."""

    @property
    def identity(self) -> str:
        """What vectors and scores depend on besides the text: a name that fits a folder."""

    @property
    def query_prefix(self) -> str:
        """What its model expects before a query."""

    @property
    def text_prefix(self) -> str:
        """What its model expects before a text."""

    @property
    def input_limit(self) -> int:
        """How many tokens it reads of one input, those included that it adds itself."""

    @property
    def notes(self) -> Sequence[str]:
        """What the caller should know, such as that it was started."""

    def note_use(self) -> None:
        """Say that a ranking begins, goes on or ends, as ReadyServer has it."""

    async def count_tokens(self, text: str) -> int:
        """Return the tokens of an input, those included that it adds itself.

        Raises:
            LlamaMCPError: it does not say.
        """

    async def vectors_of(self, texts: Sequence[str]) -> Sequence[Vector]:
        """Return a vector for each text, of an embedding model.

        Raises:
            LlamaMCPError: it refuses a text, as one over input_limit, or is gone.
        """

    async def scores_of(self, query: str, texts: Sequence[str]) -> Scores:
        """Return how well each text answers the query, of a rerank model.

        Raises:
            LlamaMCPError: as vectors_of.
        """


class RankServers(Protocol):
    """Gives ranking its llama-server."""

    async def rank_server(
        self, *, model: str | None = None, wait_seconds: float = 0.0
    ) -> RankServer:
        """Return a llama-server whose model ranks, which may still load.

        Args:
            model: The only model that will do, by path or name. None takes the one that runs, or
                starts the only one that ranks if none runs. What runs is never stopped for it
                unless a model is named.
            wait_seconds: How long to wait for room where another model is used.

        Raises:
            LlamaMCPError: why there is none.
        """
