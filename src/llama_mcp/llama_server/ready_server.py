"""All that a turn may know of a llama-server: an interface, and what stands for its kinds.

A turn sends, counts and asks through it, and knows no process, run folder, log or connection. A
llama-server of ours is one kind (ready_run.py).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.restored_prompt import RestoresPrompts

# What a template adds to each message at the most, for builds that cannot show theirs.
TEMPLATE_TOKENS_PER_MESSAGE = 32


@dataclass(frozen=True, slots=True)
class ModelLoad:
    """How far the loading of a model is."""

    seconds: float
    """Since llama-server was started."""
    line: str
    """For a person who waits."""


# Is told of it, some times a second.
TellLoad = Callable[[ModelLoad], None]
# Is told of a wait that is not over yet, some times a second.
TellWait = Callable[[ModelLoad], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a caller waits for a model that has no room yet, and who is told of that."""

    seconds: float = 0.0
    tell: TellWait | None = None


NO_PATIENCE = Patience()


class StreamPlace(Protocol):
    """Where a reply can be read on."""

    @property
    def stream_id(self) -> str:
        """By which llama-server knows it."""

    @property
    def run(self) -> str:
        """The launch of llama-server that generates it."""

    @property
    def byte(self) -> int:
        """Where in it what was not taken yet begins."""


class ReplyStream(StreamPlace, Protocol):
    """A reply that llama-server goes on with when its reader is gone, until it is stopped."""

    @property
    def is_caught_up(self) -> bool:
        """Whether all has been read that there was when reading on began, and more is to come."""

    @property
    def is_told(self) -> bool:
        """Whether somebody was told to come back for it, as far as was noted."""

    def read_on(self) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Give the JSON of each chunk from its byte on, as stream_chat does.

        Raises:
            LlamaMCPError: as stream_chat; ReplyLostError when it was ended, or is not known.
        """

    async def note_saved(self, byte: int, *, is_told: bool) -> None:
        """Say up to which byte the archive has it, and whether somebody may come back for it."""

    async def stop(self) -> None:
        """Stop generating it, if it is not over."""

    async def forget(self) -> None:
        """Let go of it: its reply is in the archive."""

    async def leave(self) -> None:
        """Leave it to whoever reads on."""


class ReplyLostError(LlamaMCPError):
    """A reply whose reader was gone, and that cannot be read to its end."""

    next_step = "{Chat}: ask the model to go on, or ask again."

    def __init__(
        self, why: str, *, was_unwanted: bool = False, was_never_begun: bool = False
    ) -> None:
        """Take what became of it.

        Args:
            why: what happened, a clause.
            was_unwanted: it was ended because nobody would have come back for it.
            was_never_begun: llama-server was never asked for it.
        """
        self.was_unwanted = was_unwanted
        self.was_never_begun = was_never_begun
        super().__init__(
            f"The llama-mcp process that was receiving this reply ended before the reply did, and "
            f"{why}. What had come is kept."
        )


class ModelUnloadedError(LlamaMCPError):
    """llama-server was unloaded just before it was asked; it comes back for whoever asks again."""

    next_step = "{Chat}: send it again."
    can_go_on = True

    def __init__(self, model: str) -> None:
        super().__init__(f"{model} was unloaded, since it had had no turn for long.")


class ReadyServer(RestoresPrompts, Protocol):
    """A llama-server that answers, or will once its model has loaded.

    Of one that loads, only its names and the sizes that it was started with are known.
    """

    @property
    def load(self) -> ModelLoad | None:
        """How far its model was when it was asked for; None of one that answers."""

    async def when_ready(self, tell: TellLoad) -> "ReadyServer":
        """Return it once it answers.

        Raises:
            LlamaMCPError: it did not get ready, and why.
        """

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def system_prompt(self) -> str | None:
        """What the model is told in a session that has none; None leaves it to its template."""

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
    def notes(self) -> Sequence[str]:
        """What the caller of a turn should know, such as that it was started again."""

    def note_use(self) -> None:
        """Say that a turn begins, goes on or ends, so that it is not unloaded as idle.

        To be called about once a second while one goes on, waiting for a slot or the model
        included. It takes microseconds and never fails.
        """

    async def open_ahead(self) -> None:
        """Open the connection for a reply that is asked for in a moment, if a slot is free for it.

        One that nobody uses is closed soon. Without one the reply takes a little longer to begin.
        """

    async def new_stream_id(self) -> str | None:
        """Return an id for open_stream; None where replies end with their reader."""

    async def open_stream(self, stream_id: str, *, is_told: bool) -> ReplyStream | None:
        """Return a stream for stream_chat that goes on when its reader is gone; None without.

        Args:
            stream_id: whoever has it can read on.
            is_told: whether somebody was told to come back for the reply.
        """

    def stream_chat(
        self, body: Mapping[str, Any], stream: ReplyStream | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Send a chat request and give the JSON of each chunk as it arrives.

        Leaving the context ends generation, except of a stream.

        Raises:
            LlamaMCPError: it refused the request, broke it off, or is gone.
        """

    async def count_tokens(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Return the tokens of a chat prompt, template included.

        Raises:
            LlamaMCPError: it refuses the messages, or does not answer.
        """

    async def sees_pictures(self) -> bool | None:
        """Tell whether its model does; of one that loads, whether its launch says so.

        None when it is not known: it does not say, or has not fetched its model yet.
        """

    async def model_ctx_size(self) -> int | None:
        """Return how long a context the model was trained for; None when it does not say."""

    async def why_refused(self, body: Mapping[str, Any], timeout_seconds: float) -> str | None:
        """Return why it would refuse the chat request; None when it takes it or cannot say.

        Nothing is generated, and no slot is taken.

        Raises:
            LlamaMCPError: it does not answer.
            TimeoutError: the answer takes longer than timeout_seconds.
        """

    async def rendered_prompt(self, body: Mapping[str, Any]) -> str | None:
        """Return the text that the model would read for the chat request; None when unknown."""

    async def explain_loss(self, error: LlamaMCPError) -> LlamaMCPError:
        """Return why a chat broke off, when the error says no more than that it did.

        A lost connection becomes the crash, the unloading or the stop that it was; other errors
        stay as they are.
        """

    async def wait_until_silent(self, heard_at: Callable[[], float]) -> LlamaMCPError:
        """Wait until a reply has stopped for good, and return why.

        Args:
            heard_at: returns when something of the reply came last, by time.monotonic().
        """

    def why_slow(self, tokens_per_second: float) -> str | None:
        """Return what makes replies as quick as that quicker; None when they are not slow."""

    def prompt_cache_mark(self) -> int:
        """Return a mark of this moment, for says_prompt_lost."""

    def says_prompt_lost(self, since: int) -> bool:
        """Return whether it has said since the mark that it cannot reuse a prompt it has read."""


class ReadyServers(Protocol):
    """Gives a turn its llama-server."""

    async def ready_server(
        self,
        *,
        may_start: bool = True,
        model: str | None = None,
        usual_model: str | None = None,
        patience: Patience = NO_PATIENCE,
    ) -> ReadyServer:
        """Return a llama-server that takes a turn, which may still load.

        Args:
            may_start: One is started if none serves, and the settings allow it.
            model: The only model that will do, by path or name.
            usual_model: The model that served the session before, by its name. It is taken before
                others when no model is named.
            patience: How long to wait for room where another model is used.

        Raises:
            LlamaMCPError: why there is none, such as that there is no room for it.
        """


class LeftReplies(Protocol):
    """The replies whose readers are gone."""

    async def find(self, point: StreamPlace) -> tuple[ReadyServer, ReplyStream]:
        """Return the llama-server of such a reply and its stream, which this process reads now.

        The llama-server may be over, and the stream lost; reading it on says so.
        """

    async def is_going_on(self, point: StreamPlace) -> bool:
        """Tell whether its llama-server's keeper still looks after it."""

    async def can_be_sent(self, point: StreamPlace, age_seconds: float) -> bool:
        """Tell whether its llama-server was not asked for it yet, and somebody may still come."""

    async def is_out_of_reach(self, point: StreamPlace) -> bool:
        """Tell whether it goes on where it cannot be read now: elsewhere, or without an answer."""

    async def stop(self, point: StreamPlace) -> None:
        """Stop generating a reply that another process reads, or nobody."""

    async def clear(self, wanted: Collection[str]) -> None:
        """Stop and forget the streams that nobody reads and whose ids are not among those."""
