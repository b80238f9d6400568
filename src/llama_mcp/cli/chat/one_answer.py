"""One message and its answer, which is all that stdout gets."""

import sys

from llama_mcp.cli.chat.events import Failed, Over
from llama_mcp.cli.chat.talk import Talk
from llama_mcp.cli.display.json_output import print_json
from llama_mcp.cli.failures import ENDED_BY_CTRL_C, FAILED, in_the_terminals_words
from llama_mcp.errors import LlamaMCPError
from llama_mcp.observing.lean_data import structure_of
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.errors import TurnFailedError
from llama_mcp.turns.replies.reply import ChatReply
from llama_mcp.visible_text import visible


def answer(talk: Talk, message: str, *, is_json: bool) -> int:
    """Print the answer; return the exit code."""
    event = talk.send(message)
    if isinstance(event, Failed):
        raise without_the_reply(event.error)
    if not isinstance(event, Over):  # stopped before anything was sent
        print("Stopped. Nothing was sent.", file=sys.stderr)
        return ENDED_BY_CTRL_C
    if is_json:
        print_json(reply_data(event.reply))
    for note in event.reply.notes:
        print(visible(f"Note: {in_the_terminals_words(note)}"), file=sys.stderr)
    return _code_of(event, talk)


def reply_data(reply: ChatReply) -> dict[str, object]:
    """Return a reply as data for programs."""
    return structure_of(reply) | {"reply": reply.reply}


def without_the_reply(error: LlamaMCPError) -> LlamaMCPError:
    """Return a failure that does not repeat what of the reply was printed already."""
    if isinstance(error, TurnFailedError):
        return error.without_reply()
    return error


def stopped_text(talk: Talk) -> str:
    """Return what became of a reply that Ctrl-C has stopped."""
    return f"Stopped. What had come is kept in session {talk.session_id}."


def _code_of(event: Over, talk: Talk) -> int:
    if talk.was_stopped:
        print(stopped_text(talk), file=sys.stderr)
        return ENDED_BY_CTRL_C
    return 0 if event.reply.status is TurnStatus.COMPLETE else FAILED
