"""All that a turn may know of a llama-server: an interface, and what stands for its kinds.

A turn sends, counts and asks through it, and knows no process, run folder, log or connection. A
llama-server of ours is one kind (ready_run.py).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.reply_stream import ReplyStream, StreamPlace
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


@dataclass(frozen=True, slots=True)
class WantedServer:
    """Which llama-server a turn wants, and what may be done so that there is one."""

    model: str | None = None
    """The only model that will do, by path or name."""
    usual_model: str | None = None
    """The model that served the session before, by its name: taken before others when no model is
    named."""
    may_start: bool = True
    """One is started if none serves, and the settings allow it."""
    patience: Patience = NO_PATIENCE
    """How long to wait for room where another model is used."""


ANY_SERVER = WantedServer()


class ModelUnloadedError(LlamaMCPError):
    """llama-server was unloaded just before it was asked; it comes back for whoever asks again."""

    next_step = "{Chat}: send it again."
    can_go_on = True

    def __init__(self, model: str) -> None:
        super().__init__(f"{model} was unloaded, since it had had no turn for long.")


class PromptTooLongError(LlamaMCPError):
    """A prompt was refused as longer than the window. What was learned of that counts already."""

    next_step = "Send it again, or shorten it."

    def __init__(self, problem: str, window: int, prompt_tokens: int | None) -> None:
        """Take what was said.

        Args:
            problem: the refusal's words.
            window: what the window is taken to be from now on, in tokens.
            prompt_tokens: how many the prompt has, where that was said.
        """
        super().__init__(
            f"The prompt was refused as too long: {problem}. From now on the window is taken to be "
            f"{window} tokens."
        )
        self.problem = problem
        self.window = window
        self.prompt_tokens = prompt_tokens


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

    @property
    def remarks(self) -> Sequence[str]:
        """What it has noticed of the requests so far that the caller should know."""

    @property
    def guesses(self) -> str | None:
        """What of its window and of counts it was not told, in sentences; None when it knows."""

    @property
    def is_ours(self) -> bool:
        """Whether llama-mcp has started it: it can start it otherwise, and nobody else uses it."""

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
        self,
        body: Mapping[str, Any],
        stream: ReplyStream | None = None,
        *,
        session_id: str | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Send a chat request and give the JSON of each chunk as it arrives.

        Leaving the context ends generation, except of a stream.

        Args:
            body: the request.
            stream: what the reply goes on as when its reader is gone.
            session_id: whose prompt it continues, for those who keep prompts by that.

        Raises:
            PromptTooLongError: the prompt is longer than the window.
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

    async def ready_server(self, wanted: WantedServer = ANY_SERVER) -> ReadyServer:
        """Return a llama-server that takes a turn, which may still load.

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
