"""A conversation at the prompt, until its person leaves."""

import sys

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.cli.chat.events import END, Event, Failed, Over, Withdrawn
from llama_mcp.cli.chat.one_answer import stopped_text, without_the_reply
from llama_mcp.cli.chat.slash_commands import Leave, obey, show_session
from llama_mcp.cli.chat.talk import Talk, history_file
from llama_mcp.cli.chat.typed_lines import Typed, TypedLines
from llama_mcp.cli.failures import in_the_terminals_words, told
from llama_mcp.cli.terminal import Colour
from llama_mcp.errors import LlamaMCPError
from llama_mcp.sessions.records import TurnStatus

_GREETING = "Type a message. /help lists commands; Ctrl-D leaves."
_HOW_TO_LEAVE = "Ctrl-D or /bye leaves."


def converse(talk: Talk) -> int:
    """Read messages and print replies until the person leaves; return the exit code."""
    lines = TypedLines(history_file(talk.services))
    talk.terminal.line(_GREETING)
    if talk.session_id:
        _go_on_in(talk, talk.session_id)
    while True:
        try:
            typed = lines.next()
        except KeyboardInterrupt:
            talk.terminal.line(f"\n{_HOW_TO_LEAVE}")
            continue
        if typed is None:
            talk.terminal.line()
            break
        try:
            _take(talk, typed)
        except Leave:
            break
    if talk.session_id:
        talk.terminal.line(f"To go on: llama-mcp chat -s {talk.session_id}")
    return 0


def _take(talk: Talk, typed: Typed) -> None:
    """Send what was typed, or obey it; a failure is told, and the conversation goes on."""
    try:
        if typed.is_command:
            obey(talk, typed.text)
        elif typed.text:
            _report(talk, talk.send(typed.text))
    except LlamaMCPError as error:
        _tell(error)
    except KeyboardInterrupt:
        talk.terminal.line(f"\n{_HOW_TO_LEAVE}")


def _go_on_in(talk: Talk, session_id: str) -> None:
    """Show the session that was named, and the reply that may be under way in it."""
    try:
        session = talk.told(
            lambda services: services.archive.session(session_id, owner=LOCAL_OWNER)
        )
        show_session(talk, session)
        ids = [session.session_id]
        underway = talk.told(lambda services: services.unfinished(ids, owner=LOCAL_OWNER))
        if underway.get(session.session_id) in (TurnStatus.IN_PROGRESS.value, "waiting"):
            _report(talk, talk.wait())
    except LlamaMCPError as error:
        _tell(error)


def _report(talk: Talk, event: Event) -> None:
    """Say how a reply ended, where that is not as usual."""
    assert isinstance(event, END)
    if isinstance(event, Failed):
        raise event.error
    if isinstance(event, Withdrawn):
        talk.terminal.line("Stopped. Nothing was sent.")
    elif isinstance(event, Over):
        if event.reply.status is TurnStatus.CANCELLED:
            talk.terminal.line(stopped_text(talk))
        for note in event.reply.notes:
            shown = talk.terminal.coloured(f"[{in_the_terminals_words(note)}]", Colour.DIM)
            talk.terminal.write(f"{shown}\n")


def _tell(error: LlamaMCPError) -> None:
    print(told(without_the_reply(error)), file=sys.stderr)
