"""The prompt of one turn: the session's history, fitted into the context window."""

from dataclasses import dataclass

from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.sessions.records import BegunTurn
from llama_mcp.turns.chat_request import ChatRequest
from llama_mcp.turns.context_window import (
    ChatMessages,
    Window,
    build_messages,
    choose_cut,
    surely_fits,
)
from llama_mcp.turns.errors import ContextFullError, HistoryFullError


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent, and the first turn of the session that is part of it."""

    messages: ChatMessages
    first_turn: int

    @property
    def turns_dropped(self) -> int:
        """How many of the session's oldest turns are left out."""
        return self.first_turn - 1


async def fit_prompt(begun: BegunTurn, request: ChatRequest, server: ReadyServer) -> Prompt:
    """Return the prompt, with as many of the oldest turns left out as the window demands.

    Raises:
        ContextFullError: the message does not fit even alone.
        HistoryFullError: turns would have to be left out, and the request forbids it.
        LlamaMCPError: llama-server could not count.
    """
    first_turn = begun.first_turn_in_prompt
    system_prompt = begun.session.system_prompt
    messages = build_messages(system_prompt, begun.earlier, request.message)
    window = Window(server.slot_ctx_size, request.sampling.max_tokens)
    if surely_fits(messages, window):
        return Prompt(messages, first_turn)
    cut = await _count_and_cut(begun, request.message, server, window)
    if cut and request.overflow == "error":
        raise HistoryFullError(begun.session.session_id, cut, window.limit)
    messages = build_messages(system_prompt, begun.earlier[cut:], request.message)
    return Prompt(messages, first_turn + cut)


async def _count_and_cut(
    begun: BegunTurn, message: str, server: ReadyServer, window: Window
) -> int:
    search = choose_cut(len(begun.earlier), window)
    left_out, tokens = next(search), 0
    try:
        while True:
            messages = build_messages(
                begun.session.system_prompt, begun.earlier[left_out:], message
            )
            tokens = await server.count_tokens(messages)
            left_out = search.send(tokens)
    except StopIteration as decided:
        cut: int | None = decided.value
    if cut is None:
        raise ContextFullError(tokens, window.prompt_limit, window.limit)
    return cut
