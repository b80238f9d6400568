"""All that a turn may know of a llama-server: an interface, and what stands for its kinds.

A turn sends, counts and asks through it, and knows no process, run folder, log or connection. A
llama-server of ours is one kind (ready_run.py).
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from llama_mcp.errors import LlamaMCPError

# What a template adds to each message at the most, for builds that cannot show theirs.
TEMPLATE_TOKENS_PER_MESSAGE = 32


class ReadyServer(Protocol):
    """A llama-server that answers."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def serving_id(self) -> str:
        """What identifies this launch: another one has an empty prompt cache."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of its HTTP API."""

    @property
    def slot_ctx_size(self) -> int:
        """The context window of each conversation, in tokens."""

    @property
    def total_slots(self) -> int:
        """How many conversations can generate at once."""

    @property
    def n_gpu_layers(self) -> int | None:
        """As launched: -1 all, 0 none, None automatic or not known."""

    @property
    def notes(self) -> Sequence[str]:
        """What the caller of a turn should know, such as that it was started again."""

    def stream_chat(
        self, body: Mapping[str, Any]
    ) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Send a chat request and give the JSON of each chunk as it arrives.

        Leaving the context ends generation.

        Raises:
            LlamaMCPError: it refused the request, broke it off, or is gone.
        """

    async def count_tokens(self, messages: Sequence[Mapping[str, str]]) -> int:
        """Return the tokens of a chat prompt, template included.

        Raises:
            LlamaMCPError: it refuses the messages, or does not answer.
        """

    async def why_refused(self, body: Mapping[str, Any], timeout_seconds: float) -> str | None:
        """Return why it would refuse the chat request; None when it takes it or cannot say.

        Nothing is generated, and no slot is taken.

        Raises:
            LlamaMCPError: it does not answer.
            TimeoutError: the answer takes longer than timeout_seconds.
        """

    async def explain_loss(self, error: LlamaMCPError) -> LlamaMCPError:
        """Return why a chat broke off, when the error says no more than that it did.

        A lost connection becomes the crash or the stop that it was; other errors stay as they are.
        """

    async def wait_until_silent(self, heard_at: Callable[[], float]) -> LlamaMCPError:
        """Wait until a reply has stopped for good, and return why.

        Args:
            heard_at: returns when something of the reply came last, by time.monotonic().
        """

    def prompt_cache_mark(self) -> int:
        """Return a mark of this moment, for says_prompt_lost."""

    def says_prompt_lost(self, since: int) -> bool:
        """Return whether it has said since the mark that it cannot reuse a prompt it has read."""


class ReadyServers(Protocol):
    """Gives a turn its llama-server."""

    async def ready_server(self, wait_seconds: float) -> ReadyServer:
        """Return a llama-server that can take a turn; one that loads is waited for.

        Raises:
            LlamaMCPError: why there is none.
        """
