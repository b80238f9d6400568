"""The prompt of one turn: the session's history, fitted into the context window.

The oldest turns are left out, whole, and rarely. A cut goes down to about 60 % of the window in one
step, because each cut changes the prompt's beginning and so costs llama-server's prompt cache
(measured: after leaving out one turn, all of the prompt is read again).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.sessions.attachments import Attachment
from llama_mcp.sessions.begun_turns import BegunTurn, EarlierTurn
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.errors import (
    CannotSeeError,
    ContextFullError,
    FilesFullError,
    HistoryFullError,
    for_server,
)
from llama_mcp.turns.known_prompts import TEMPLATE_TOKENS, KnownPrompt, most_tokens_of
from llama_mcp.turns.message_parts import (
    ChatMessage,
    ChatMessages,
    has_picture,
    is_picture,
    user_message,
)
from llama_mcp.turns.replies.thoughts import part_thoughts

TARGET_SHARE = 0.6
# No turn is left out to give the reply more than this share of the window.
FREE_SHARE = 1 / 8
UNSEEN = "{model} cannot see: the prompt has a word in the place of each earlier picture."

NOTHING_ATTACHED: Mapping[int, Sequence[Attachment]] = {}
# Returns the prompt's tokens without that many of the oldest turns.
Count = Callable[[int], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Window:
    """The context window of one conversation, in tokens."""

    limit: int
    max_tokens: int | None

    @property
    def reserve(self) -> int:
        """What a prompt leaves free for the reply at least."""
        least = max(int(self.limit * FREE_SHARE), 1)
        return min(self.max_tokens or least, least)

    @property
    def prompt_limit(self) -> int:
        """How long a prompt may be so that the reply has room."""
        return max(self.limit - self.reserve, 1)

    @property
    def target(self) -> int:
        """How long the prompt is at most after a cut."""
        return min(int(self.limit * TARGET_SHARE), self.prompt_limit)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent, and the first turn of the session that is part of it."""

    messages: ChatMessages
    first_turn: int
    sampling: Sampling
    notes: tuple[str, ...] = ()
    """What the caller should know of how it was made to fit."""
    models_system_prompt: str | None = None
    """The one that the model brings, where the session has none."""


async def fit_prompt(
    begun: BegunTurn, request: ChatRequest, server: ReadyServer, known: KnownPrompt | None = None
) -> Prompt:
    """Return the prompt, without as many of the oldest turns as the window demands.

    A reply that may be longer than the room that is left is limited to it.

    Args:
        begun: The turn, with those before it.
        request: What is asked.
        server: Counts, where that is needed to know.
        known: A prompt that it has read before.

    Raises:
        CannotSeeError: A picture is sent with the message, and the model reads text only.
        ContextFullError: The message does not fit even alone.
        HistoryFullError: Turns must be left out, and the request forbids it.
        LlamaMCPError: llama-server could not count.
    """
    first = begun.first_turn_in_prompt
    own = begun.session.system_prompt
    models = None if own else server.system_prompt
    window = Window(server.slot_ctx_size, request.sampling.max_tokens)
    counted: dict[int, int] = {}

    attached = chain.from_iterable(begun.attached.values())
    sees = not any(map(is_picture, attached)) or await server.sees_pictures() is not False
    files = begun.attached.get(begun.turn, ())
    if not sees and (pictures := [each.file.name for each in files if is_picture(each)]):
        raise CannotSeeError(server.model, pictures)
    new = user_message(request.message, files, sees_pictures=sees)
    said = Said.of(begun.earlier, new, begun.attached, sees_pictures=sees)
    notes = [] if sees else [UNSEEN.format(model=server.model)]

    async def count(left_out: int) -> int:
        if left_out not in counted:
            counted[left_out] = await server.count_tokens(said.messages(own or models, left_out))
        return counted[left_out]

    messages = said.messages(own or models)
    if surely_fits(messages, window, known):
        return Prompt(messages, first, request.sampling, tuple(notes), models)
    cut = await choose_cut(len(begun.earlier), window, count)
    if cut is None:
        tokens, trained = await count(len(begun.earlier)), await server.model_ctx_size()
        if files:
            files_full = FilesFullError(tokens, window.prompt_limit, window.limit, {}, trained)
            raise for_server(files_full, is_ours=server.is_ours, guesses=server.guesses)
        full = ContextFullError(tokens, window.prompt_limit, window.limit, trained)
        raise for_server(full, is_ours=server.is_ours, guesses=server.guesses)
    if cut and request.overflow == "error":
        history_full = HistoryFullError(
            begun.session.session_id,
            cut,
            await count(0),
            window.prompt_limit,
            window.limit,
            await server.model_ctx_size(),
        )
        raise for_server(history_full, is_ours=server.is_ours, guesses=server.guesses)
    notes += [_cut_note(first, cut, await count(0), window)] if cut else []
    sampling = capped(request.sampling, window.limit, await count(cut))
    if sampling != request.sampling:
        notes.append(
            f"max_tokens={request.sampling.max_tokens} was capped to {sampling.max_tokens}: the "
            f"window is {window.limit} and the prompt has {await count(cut)}."
        )
    notes += [server.guesses] if server.guesses and (cut or sampling != request.sampling) else []
    messages = said.messages(own or models, cut)
    return Prompt(messages, first + cut, sampling, tuple(notes), models)


def capped(sampling: Sampling, limit: int, prompt_tokens: int) -> Sampling:
    """Return the sampling with a max_tokens that ends where the window of so many tokens does."""
    room = limit - prompt_tokens
    if sampling.max_tokens is None or sampling.max_tokens <= room:
        return sampling
    return sampling.model_copy(update={"max_tokens": room})


def _cut_note(first: int, cut: int, tokens: int, window: Window) -> str:
    last = first + cut - 1
    turns = f"Turn {first}, the oldest, was" if cut == 1 else f"Turns {first} to {last} were"
    return (
        f"{turns} left out of the prompt: with all turns it has {tokens} tokens, and at most "
        f"{window.prompt_limit} of the window's {window.limit} are free for it. The archive still "
        "has every turn."
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What is said in a session, as messages: each turn's, and the new one."""

    exchanges: tuple[ChatMessages, ...]
    new: ChatMessage

    @classmethod
    def of(
        cls,
        turns: Sequence[EarlierTurn],
        new: ChatMessage,
        attached: Mapping[int, Sequence[Attachment]] = NOTHING_ATTACHED,
        *,
        sees_pictures: bool = True,
    ) -> "Said":
        """Take the turns in order, with what was sent with each, and the new message.

        A turn without a reply is left out whole: many templates refuse two user messages in a row.
        Thoughts of earlier turns are not sent again, as no template sends them.
        """
        exchanges = []
        for turn in turns:
            files = attached.get(turn.turn, ())
            asked = user_message(turn.message, files, sees_pictures=sees_pictures)
            _, reply = part_thoughts(turn.reply)
            answer = {"role": "assistant", "content": reply}
            exchanges.append([asked, answer] if reply else [])
        return cls(tuple(exchanges), new)

    def messages(self, system_prompt: str | None, left_out: int = 0) -> ChatMessages:
        """Return the prompt: system prompt, turns without the oldest ones, new message."""
        head = [{"role": "system", "content": system_prompt}] if system_prompt else []
        return [*head, *chain.from_iterable(self.exchanges[left_out:]), self.new]


def surely_fits(
    messages: Sequence[ChatMessage], window: Window, known: KnownPrompt | None = None
) -> bool:
    """Return whether prompt and reply fit with any tokenizer, so that nothing has to be counted.

    Args:
        messages: The prompt.
        window: What they have to fit into.
        known: A prompt with which this one perhaps begins.
    """
    if any(map(has_picture, messages)):
        return False
    room = window.limit - max(window.reserve, window.max_tokens or 0)
    most = known.most_tokens_of(messages) if known else None
    if most is not None and most <= room:
        return True
    return TEMPLATE_TOKENS + most_tokens_of(messages) <= room


async def choose_cut(turn_count: int, window: Window, count: Count) -> int | None:
    """Return how many of the oldest turns to leave out.

    0 when all turns fit, else the smallest number that brings the prompt down to the target; None
    when the message does not fit even alone.

    Args:
        turn_count: How many turns there are.
        window: What the prompt has to fit into.
        count: Counts the prompt.
    """
    if await count(0) <= window.prompt_limit:
        return 0
    if await count(turn_count) > window.prompt_limit:
        return None
    low, high = 1, turn_count
    while low < high:
        middle = (low + high) // 2
        if await count(middle) <= window.target:
            high = middle
        else:
            low = middle + 1
    return low
