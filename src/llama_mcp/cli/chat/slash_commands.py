"""What a line that begins with a slash does in a conversation."""

from collections.abc import Callable
from dataclasses import dataclass

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.cli.chat.talk import Talk
from llama_mcp.cli.models.model_table import model_lines
from llama_mcp.cli.sessions.listing import session_lines, sessions_found
from llama_mcp.cli.terminal import Colour
from llama_mcp.sessions.records import Session, TurnStatus
from llama_mcp.turns.replies.reply import ChatReply
from llama_mcp.visible_text import visible
from llama_mcp.wording import counted, shortened

_SHOWN_SESSIONS = 10
_SHOWN_MODELS = 20
# Of the last turn of a session that is gone on with.
_SHOWN_CHARACTERS = 600


class Leave(Exception):  # noqa: N818 - it is no error
    """The person wants to leave."""


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """One command of a conversation."""

    name: str
    takes: str
    summary: str
    act: Callable[[Talk, str], None]


def obey(talk: Talk, line: str) -> None:
    """Do what the line says; raises Leave, or the LlamaMCPError that prevents it."""
    name, _, rest = line[1:].partition(" ")
    for command in COMMANDS:
        if name.lower() in (command.name, *_ALIASES.get(command.name, ())):
            command.act(talk, rest.strip())
            return
    talk.terminal.line(
        f"There is no command /{name}; /help lists them. To send the line, begin it with a space."
    )


def show_session(talk: Talk, session: Session) -> None:
    """Show which session is gone on with, and the end of its last turn."""
    talk.terminal.line(f"Session {session.session_id}: {session.title}")
    if not session.turns:
        return
    turn = talk.told(
        lambda services: services.archive.last_turn(session.session_id, owner=LOCAL_OWNER)
    )
    dim = talk.terminal.coloured
    talk.terminal.write(dim(f"> {shortened(turn.message, _SHOWN_CHARACTERS)}", Colour.DIM) + "\n")
    if turn.status is not TurnStatus.IN_PROGRESS:
        talk.terminal.write(dim(shortened(turn.reply, _SHOWN_CHARACTERS), Colour.DIM) + "\n")


def _new(talk: Talk, _: str) -> None:
    talk.begin_anew()
    talk.terminal.line("The next message begins a new session.")


def _sessions(talk: Talk, words: str) -> None:
    found = talk.told(lambda services: sessions_found(services, words, _SHOWN_SESSIONS))
    talk.terminal.write("\n".join(session_lines(found, talk.terminal)) + "\n")


def _resume(talk: Talk, session_id: str) -> None:
    if not session_id:
        talk.terminal.line("Which one? /sessions lists them: /resume ID")
        return
    show_session(talk, talk.resume(session_id))


def _model(talk: Talk, name: str) -> None:
    if name:
        talk.model = name
        talk.terminal.line(f"The next message goes to {name}.")
        return
    used = talk.model or "the session's, else the one that runs, else the default"
    talk.terminal.line(f"Model: {used}. /model NAME changes it:")
    models = talk.told(lambda services: services.known_models.list("", _SHOWN_MODELS))
    talk.terminal.write("\n".join(model_lines(models, talk.terminal)) + "\n")


def _system(talk: Talk, text: str) -> None:
    if text:
        talk.set_system_prompt("" if text == "none" else text)
        talk.terminal.line("Set." if text != "none" else "Removed.")
        return
    prompt = talk.system_prompt
    if session_id := talk.session_id:
        session = talk.told(
            lambda services: services.archive.session(session_id, owner=LOCAL_OWNER)
        )
        prompt = session.system_prompt
    shown = f"System prompt: {prompt}" if prompt else "There is no system prompt."
    talk.terminal.line(f"{shown}\n/system TEXT sets it, /system none removes it.")


def _file(talk: Talk, path: str) -> None:
    if path:
        talk.files.append(path)
    named = ", ".join(talk.files) or "none; /file PATH adds one"
    talk.terminal.line(f"Files that go with the next message: {named}.")


def _stats(talk: Talk, _: str) -> None:
    if talk.last is None:
        talk.terminal.line("There was no reply yet.")
    else:
        talk.terminal.line("\n".join(_figures(talk.last)))


def _figures(reply: ChatReply) -> list[str]:
    usage, timing, context = reply.usage, reply.timing, reply.context
    lines = [f"session {reply.session_id}, {counted(reply.turn, 'turn')}, {reply.status.value}"]
    if usage.prompt_tokens is not None:
        cached = f", {usage.cached_tokens} of them cached" if usage.cached_tokens else ""
        lines.append(f"{counted(usage.prompt_tokens, 'prompt token')}{cached}")
    if usage.completion_tokens:
        rate = timing.tokens_per_second
        speed = f", {rate:.1f} tokens/s" if rate else ""
        lines.append(f"{counted(usage.completion_tokens, 'reply token')}{speed}")
    if timing.first_token_ms is not None:
        lines.append(f"first token after {timing.first_token_ms:.0f} ms")
    if context.tokens_used:
        limit = f" of {context.limit}" if context.limit else ""
        lines.append(f"context window: {context.tokens_used}{limit} tokens in use")
    return [*lines, *map(visible, reply.notes)]


def _help(talk: Talk, _: str) -> None:
    shown = [f"  {f'/{each.name} {each.takes}'.rstrip():<20}{each.summary}" for each in COMMANDS]
    talk.terminal.line(
        "\n".join(
            [
                *shown,
                '  """                 begins and ends a message of several lines',
                "  Ctrl-C              stops a reply and keeps what has come",
                "  Ctrl-D              leaves",
            ]
        )
    )


def _bye(_: Talk, __: str) -> None:
    raise Leave


_ALIASES = {"bye": ("exit", "quit"), "help": ("?",)}
COMMANDS = (
    SlashCommand("new", "", "begin a new session", _new),
    SlashCommand("sessions", "[WORDS]", "list sessions, or find some", _sessions),
    SlashCommand("resume", "ID", "go on in a session", _resume),
    SlashCommand("model", "[NAME]", "list models, or use another", _model),
    SlashCommand("system", "[TEXT]", "show the system prompt, or set it", _system),
    SlashCommand("file", "[PATH]", "send a file with the next message", _file),
    SlashCommand("stats", "", "figures of the last reply", _stats),
    SlashCommand("help", "", "list these", _help),
    SlashCommand("bye", "", "leave", _bye),
)
