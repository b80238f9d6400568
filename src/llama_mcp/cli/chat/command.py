"""`llama-mcp chat`: a conversation at the terminal, or one answer for an argument or a pipe."""

import os
import stat
import sys
from argparse import ArgumentParser, Namespace

from anyio.from_thread import BlockingPortal
from pydantic import ValidationError

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.cli.chat.conversation import converse
from llama_mcp.cli.chat.given_files import piped_message, read_piped
from llama_mcp.cli.chat.loop_thread import use_rooms_beside
from llama_mcp.cli.chat.one_answer import answer
from llama_mcp.cli.chat.talk import Talk
from llama_mcp.cli.display.progress_line import ProgressLine
from llama_mcp.cli.failures import WRONG_ARGUMENTS
from llama_mcp.cli.terminal import Terminal
from llama_mcp.errors import InvalidArgumentError
from llama_mcp.reading_settings import read_settings
from llama_mcp.services import Services
from llama_mcp.sessions.texts import clean_text
from llama_mcp.settings import inherited_environment
from llama_mcp.turns.chat_request import Sampling

_EXAMPLES = """examples:
  llama-mcp chat
  llama-mcp chat "What is the capital of France?"
  llama-mcp chat -c "And of Italy?"
  git diff | llama-mcp chat "Write a commit message for this."
  llama-mcp chat --file notes.md --file chart.png "Sum this up."

Without a message it is a conversation, where /help lists commands. With one, or when
something is piped in, stdout gets the answer and nothing else. Ctrl-C stops a reply and
keeps what has come. The sessions are those of your assistants."""


def configure(parser: ArgumentParser) -> None:
    """Say what a message is sent with."""
    parser.description = "Talk with the local model. It is started if need be."
    parser.epilog = _EXAMPLES
    parser.add_argument("message", nargs="*", metavar="MESSAGE", help="ask this and leave")
    session = parser.add_mutually_exclusive_group()
    session.add_argument(
        "-c", "--continue", action="store_true", dest="goes_on", help="go on in the last session"
    )
    session.add_argument("-s", "--session", metavar="ID", help="go on in this session")
    parser.add_argument("-m", "--model", metavar="MODEL", help="a name of `llama-mcp models`")
    parser.add_argument("--system", metavar="TEXT", help="the system prompt of the session")
    parser.add_argument(
        "-f", "--file", action="append", default=[], metavar="PATH",
        help="send a file or a picture with the message; again for more",
    )  # fmt: skip
    parser.add_argument("--max-tokens", type=int, metavar="N", help="the longest reply")
    parser.add_argument("--temperature", type=float, metavar="T", help="0 is the surest")
    parser.add_argument("--json", action="store_true", help="the answer as one JSON document")


def run(arguments: Namespace) -> int:
    """Converse, or give one answer; return the exit code."""
    piped = read_piped(sys.stdin.buffer) if _is_piped() else b""
    message = clean_text(" ".join(arguments.message))
    if not message and piped:
        message, piped = piped_message(piped), b""
    is_conversation = not message and sys.stdin.isatty() and sys.stdout.isatty()
    if is_conversation and arguments.json:
        return _refuse("--json needs a message")
    if not message.strip() and not is_conversation:
        return _refuse("there is no message; without one, chat needs a terminal")
    sampling = _sampling(arguments)
    environment = inherited_environment()
    # Who asks for a chat here asks for what it needs: there is no other command that starts it.
    settings = read_settings(environment).model_copy(update={"auto_start": True})

    def use(portal: BlockingPortal, services: Services) -> int:
        shown = Terminal(environment) if not arguments.json else _Silent(environment)
        progress = ProgressLine(environment, sys.stderr)
        talk = Talk(services, portal, shown, progress, sampling, piped=piped)
        _begin(talk, arguments)
        if is_conversation:
            return converse(talk)
        return answer(talk, message, is_json=arguments.json)

    return use_rooms_beside(settings, use)


class _Silent(Terminal):
    """Where the text of a reply goes whose JSON is printed."""

    def write(self, shown: str) -> None:
        """Print nothing."""


def _begin(talk: Talk, arguments: Namespace) -> None:
    """Go on in the session that is meant, with what the arguments say."""
    talk.model = arguments.model
    if arguments.goes_on:
        talk.resume(talk.told(_last_session))
    elif arguments.session:
        talk.resume(arguments.session)
    talk.files = list(arguments.file)
    if arguments.system is not None:
        talk.set_system_prompt(arguments.system)


async def _last_session(services: Services) -> str:
    archive = services.archive
    newest = await archive.newest_sessions(1, owner=LOCAL_OWNER) if archive.exists() else []
    if not newest:
        raise InvalidArgumentError(
            "-c", "goes on in the last session", "There is none yet: leave it out."
        )
    session_id, *_ = newest[0]
    return session_id


def _sampling(arguments: Namespace) -> Sampling:
    try:
        return Sampling(max_tokens=arguments.max_tokens, temperature=arguments.temperature)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = f"--{str(fault['loc'][0]).replace('_', '-')}"
        raise InvalidArgumentError(name, f"is {fault['input']}", f"{fault['msg']}.") from None


def _is_piped() -> bool:
    """Tell whether stdin has text for us: a pipe or a file, not a terminal or /dev/null."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _refuse(why: str) -> int:
    print(f"llama-mcp chat: {why}. See `llama-mcp chat --help`.", file=sys.stderr)
    return WRONG_ARGUMENTS
