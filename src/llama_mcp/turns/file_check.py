"""Whether a message's files can be sent, found out before anything of them is kept."""

from collections.abc import Sequence
from dataclasses import replace

import anyio

from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.attachments import Attachment
from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.turns.chat_request import ChatRequest
from llama_mcp.turns.errors import CannotSeeError, FilesFullError, FilesTooLargeError
from llama_mcp.turns.message_parts import ChatMessages, is_picture, user_message
from llama_mcp.turns.prompt import Window, fit_prompt, surely_fits

# No tokenizer makes one token of more bytes than that, over the length of a file: words of English
# have 4 to 5 bytes a token, indented code up to 8, and UTF-32 four times that.
BYTES_PER_TOKEN = 16
# How many files an error counts one by one: the largest.
MOST_COUNTED = 5
# So long a call waits for a model that loads, and half of its own time at the most: without the
# model nobody can count, and what is waited for is not in the archive yet.
LOAD_SECONDS = 20.0


async def check_files(request: ChatRequest, server: ReadyServer, archive: Archive) -> ReadyServer:
    """Return the llama-server, loaded if it had to be, when it can read the request's files.

    The session's history counts where nothing of it may be left out. Of a model that takes long to
    load it is not known yet; the turn finds it out.

    Args:
        request: What is asked.
        server: The llama-server.
        archive: The sessions.

    Raises:
        CannotSeeError: A picture, for a model that reads text only.
        FilesTooLargeError: They have more bytes than any text that fits the window.
        FilesFullError: They have too many tokens.
        HistoryFullError: They have too many beside a history of which nothing may be left out.
        LlamaMCPError: llama-server cannot count, or did not get ready.
    """
    if not request.files:
        return server
    await _check_sight(request.files, server)
    window = Window(server.slot_ctx_size, request.sampling.max_tokens)
    _check_sizes(request.files, window)
    messages = await _alone(request, server, archive)
    is_whole = request.overflow == "error" and request.session_id is not None
    if surely_fits(messages, window) and not is_whole:
        return server
    with anyio.move_on_after(min(LOAD_SECONDS, request.wait_seconds / 2)):
        server = await server.when_ready(lambda _load: None)
    if server.load is not None:
        return server
    await _check_sight(request.files, server)
    if not surely_fits(messages, window):
        await _check_tokens(request, messages, window, server)
    if is_whole:
        await fit_prompt(await _next_turn(request, archive), request, server)
    return server


async def _check_sight(files: Sequence[Attachment], server: ReadyServer) -> None:
    pictures = [each.file.name for each in files if is_picture(each)]
    if pictures and await server.sees_pictures() is False:
        raise CannotSeeError(server.model, pictures)


async def _next_turn(request: ChatRequest, archive: Archive) -> BegunTurn:
    """Return the turn as it would begin."""
    begun = await archive.next_turn(request.session_id or "", owner=request.owner)
    return replace(begun, attached={**begun.attached, begun.turn: request.files})


async def _alone(request: ChatRequest, server: ReadyServer, archive: Archive) -> ChatMessages:
    """Return the prompt without any history."""
    system_prompt = request.system_prompt
    if request.session_id is not None:
        session = await archive.session(request.session_id, owner=request.owner)
        system_prompt = session.system_prompt
    system_prompt = system_prompt or server.system_prompt
    head = [{"role": "system", "content": system_prompt}] if system_prompt else []
    return [*head, user_message(request.message, request.files)]


def _check_sizes(files: Sequence[Attachment], window: Window) -> None:
    texts = [each for each in files if not is_picture(each)]
    # What was sent of a file, not what it has.
    text_bytes = sum(len(str(each.content).encode()) for each in texts)
    most = window.prompt_limit * BYTES_PER_TOKEN
    if text_bytes > most:
        raise FilesTooLargeError(text_bytes, len(texts), most, window.limit)


async def _check_tokens(
    request: ChatRequest, messages: ChatMessages, window: Window, server: ReadyServer
) -> None:
    tokens = await server.count_tokens(messages)
    if tokens <= window.prompt_limit:
        return
    largest = sorted(request.files, key=lambda each: len(each.content), reverse=True)
    counts = {
        each.file.name: await server.count_tokens([user_message("", [each])])
        for each in largest[:MOST_COUNTED]
    }
    trained = await server.model_ctx_size()
    raise FilesFullError(tokens, window.prompt_limit, window.limit, counts, trained)
