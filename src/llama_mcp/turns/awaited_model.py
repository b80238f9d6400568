"""A turn whose model still loads: its message is archived, and its callers hear how it goes."""

from collections.abc import Callable

from llama_mcp.llama_server.ready_server import ModelLoad, ReadyServer
from llama_mcp.turns.chat_request import Sampling
from llama_mcp.turns.json_schema import check_taken
from llama_mcp.turns.replies.partial_reply import PartialReply


async def await_model(
    server: ReadyServer, sampling: Sampling, reply: PartialReply, on_change: Callable[[], None]
) -> ReadyServer:
    """Return the turn's llama-server once it answers; of one that does, it returns at once.

    Args:
        server: The llama-server.
        sampling: Its json_schema is checked as soon as llama-server can be asked.
        reply: Shows how far loading is.
        on_change: Called when that has changed.

    Raises:
        LlamaMCPError: It did not get ready, or cannot keep to the json_schema.
    """
    if server.load is None:
        return server

    def tell(load: ModelLoad) -> None:
        reply.load = load
        on_change()

    ready = await server.when_ready(tell)
    reply.begin()
    # An engine elsewhere may name its model only now.
    reply.model = ready.model
    if sampling.json_schema is not None:
        await check_taken(ready, sampling)
    return ready
