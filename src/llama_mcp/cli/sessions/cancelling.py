"""`llama-mcp sessions cancel`: stops a reply, whichever llama-mcp process generates it."""

from argparse import Namespace
from typing import TYPE_CHECKING

from llama_mcp.cli.display.json_output import print_json
from llama_mcp.cli.rooms import use_rooms
from llama_mcp.cli.terminal import Terminal
from llama_mcp.observing.lean_data import structure_of
from llama_mcp.services import Services
from llama_mcp.sessions.errors import SessionNotFoundError
from llama_mcp.settings import inherited_environment
from llama_mcp.wording import counted

if TYPE_CHECKING:
    from llama_mcp.turns.replies.reply import ChatReply


def cancel_reply(arguments: Namespace) -> int:
    """Stop the reply that is being generated in a session; return the exit code."""

    async def cancel(services: Services) -> int:
        if not services.archive.exists():
            raise SessionNotFoundError(arguments.id, {}, are_alike=False)
        reply = await services.in_flight.cancel(arguments.id, owner=arguments.owner)
        if arguments.json:
            print_json(structure_of(reply))
        else:
            Terminal(inherited_environment()).line(_outcome(reply))
        return 0

    return use_rooms(cancel)


def _outcome(reply: "ChatReply") -> str:
    # Imported here: the other commands about sessions do without turns.
    from llama_mcp.turns.cancelling import NOTHING_STOPPED

    of = f"turn {reply.turn} of session {reply.session_id}"
    if NOTHING_STOPPED in reply.notes:
        return f"Nothing was stopped: the reply of {of} is {reply.status.value}."
    return f"Stopped the reply of {of}; {counted(len(reply.reply), 'character')} of it are kept."
