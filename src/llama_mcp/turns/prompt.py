"""The prompt of one turn: the session's history, fitted into the context window.

The oldest turns are left out, whole, and rarely. A cut goes down to about 60 % of the window in one
step, because each cut changes the prompt's beginning and so costs llama-server's prompt cache
(measured: after leaving out one turn, all of the prompt is read again).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from llama_mcp.llama_server.ready_server import TEMPLATE_TOKENS_PER_MESSAGE, ReadyServer
from llama_mcp.sessions.records import ArchivedTurn, BegunTurn
from llama_mcp.turns.chat_request import ChatRequest
from llama_mcp.turns.errors import ContextFullError, HistoryFullError

TARGET_SHARE = 0.6
# Without max_tokens this share of the window stays free for the reply.
FREE_SHARE = 1 / 8
# What a template adds besides the messages, such as a system prompt of its own.
TEMPLATE_TOKENS = 512

ChatMessages = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Window:
    """The context window of one conversation, in tokens."""

    limit: int
    max_tokens: int | None

    @property
    def prompt_limit(self) -> int:
        """How long a prompt may be so that the reply has room."""
        reserved = self.max_tokens or int(self.limit * FREE_SHARE)
        return max(self.limit - min(reserved, self.limit // 2), 1)

    @property
    def target(self) -> int:
        """How long the prompt is at most after a cut."""
        return min(int(self.limit * TARGET_SHARE), self.prompt_limit)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent, and the first turn of the session that is part of it."""

    messages: ChatMessages
    first_turn: int


async def fit_prompt(begun: BegunTurn, request: ChatRequest, server: ReadyServer) -> Prompt:
    """Return the prompt, without as many of the oldest turns as the window demands.

    Raises:
        ContextFullError: The message does not fit even alone.
        HistoryFullError: Turns must be left out, and the request forbids it.
        LlamaMCPError: llama-server could not count.
    """
    window = Window(server.slot_ctx_size, request.sampling.max_tokens)

    def messages_without(left_out: int) -> ChatMessages:
        earlier = begun.earlier[left_out:]
        return build_messages(begun.session.system_prompt, earlier, request.message)

    async def count(left_out: int) -> int:
        return await server.count_tokens(messages_without(left_out))

    messages = messages_without(0)
    if surely_fits(messages, window):
        return Prompt(messages, begun.first_turn_in_prompt)
    cut = await choose_cut(len(begun.earlier), window, count)
    if cut and request.overflow == "error":
        raise HistoryFullError(begun.session.session_id, cut, window.limit)
    return Prompt(messages_without(cut), begun.first_turn_in_prompt + cut)


def build_messages(
    system_prompt: str | None, turns: Sequence[ArchivedTurn], message: str
) -> ChatMessages:
    """Return the prompt: system prompt, turns in order, new message.

    A turn without a reply is left out whole: many templates refuse two user messages in a row.
    """
    messages: ChatMessages = []
    if system_prompt:
        messages.append({"role": "system", "content": system_prompt})
    for turn in turns:
        if turn.reply:
            messages.append({"role": "user", "content": turn.message})
            messages.append({"role": "assistant", "content": turn.reply})
    messages.append({"role": "user", "content": message})
    return messages


def surely_fits(messages: Sequence[Mapping[str, str]], window: Window) -> bool:
    """Return whether the prompt fits with any tokenizer, so that nothing has to be counted.

    A token stands for at least one byte of text.
    """
    text_bytes = sum(len(message["content"].encode("utf-8")) for message in messages)
    template_tokens = TEMPLATE_TOKENS + TEMPLATE_TOKENS_PER_MESSAGE * len(messages)
    return text_bytes + template_tokens <= window.prompt_limit


async def choose_cut(
    turn_count: int, window: Window, count: Callable[[int], Awaitable[int]]
) -> int:
    """Return how many of the oldest turns to leave out.

    0 when all turns fit, else the smallest number that brings the prompt down to the target.

    Args:
        turn_count: How many turns there are.
        window: What the prompt has to fit into.
        count: Returns the prompt's tokens without that many of the oldest turns.

    Raises:
        ContextFullError: The message does not fit even alone.
    """
    if await count(0) <= window.prompt_limit:
        return 0
    if (tokens := await count(turn_count)) > window.prompt_limit:
        raise ContextFullError(tokens, window.prompt_limit, window.limit)
    low, high = 1, turn_count
    while low < high:
        middle = (low + high) // 2
        if await count(middle) <= window.target:
            high = middle
        else:
            low = middle + 1
    return low
