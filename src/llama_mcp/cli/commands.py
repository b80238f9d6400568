"""The commands: their names, what each is for, and the module that does it.

A module is imported when its command is given, so that a command waits only for what it needs. Each
has `configure`, which adds its arguments to a parser, and `run`, which takes them and returns the
exit code: 0 done, 1 it failed or found a fault, 2 wrong arguments, 130 ended by Ctrl-C.
"""

import gc
import sys
from argparse import (
    Action,
    ArgumentParser,
    HelpFormatter,
    Namespace,
    RawDescriptionHelpFormatter,
)
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from llama_mcp.cli.failures import WRONG_ARGUMENTS, told_at_the_terminal


class CommandModule(Protocol):
    """What the module of a command offers."""

    configure: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], int]


@dataclass(frozen=True, slots=True)
class Command:
    """One command, as the list of commands shows it."""

    name: str
    summary: str
    module: str | None = None
    """Below llama_mcp.cli."""


COMMANDS = (
    Command("serve", "serve MCP over stdin and stdout, or over HTTP", "serve_http"),
    Command("tokens", "who may call over HTTP", "tokens"),
    Command("connect", "serve MCP by a llama-mcp that serves HTTP elsewhere", "connecting"),
    Command("install", "set a client up: add llama-mcp to its configuration", "install.adding"),
    Command("uninstall", "take llama-mcp out of a client's configuration", "install.removing"),
    Command(
        "doctor", "look at everything that llama-mcp needs, and say what is wrong", "doctor.command"
    ),
    Command("chat", "talk with the local model, or ask it one thing", "chat.command"),
    Command("status", "what llama-server is doing", "llama_server.status"),
    Command("models", "list models, or get one", "models.command"),
    Command(
        "sessions",
        "list, search, show, export or delete sessions, or stop a reply",
        "sessions.command",
    ),
    Command("dashboard", "show everything in the browser", "dashboard"),
    Command("stop", "stop llama-server", "llama_server.stop"),
    Command("logs", "show llama-server's log", "llama_server.logs"),
    Command("demo", "start the embedded engine with the starter model, chat, stop", "demo"),
)


def run_command(argv: Sequence[str]) -> int:
    """Run the command that the arguments name; wrong ones and --help end the process."""
    # Imports allocate a lot and free little, and garbage would be looked for all the time.
    gc.set_threshold(50_000, 20, 20)
    named = next((word for word in argv if not word.startswith("-")), None)
    arguments = _parser(lambda command: command.name == named).parse_args(argv)
    return told_at_the_terminal(lambda: cast("int", arguments.run(arguments)))


def whole_parser() -> ArgumentParser:
    """Return the parser in which every command knows its arguments, for completions."""
    return _parser(lambda _: True)


def _parser(is_wanted: Callable[[Command], bool]) -> ArgumentParser:
    """Return the parser of all commands; those that are wanted know their arguments."""
    parser = ArgumentParser(
        prog="llama-mcp",
        formatter_class=_CommandList,
        description="An MCP server that gives AI assistants a local model through llama.cpp.",
        epilog="Without a command it serves MCP over stdin and stdout, as a client starts it. "
        "Settings are environment variables that begin with LLAMA_MCP_; see docs/settings.md.",
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version")
    parser.set_defaults(run=lambda _: _no_command(parser))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        own = commands.add_parser(
            command.name, help=command.summary, formatter_class=RawDescriptionHelpFormatter
        )
        if command.module and is_wanted(command):
            module = cast("CommandModule", import_module(f"llama_mcp.cli.{command.module}"))
            module.configure(own)
            own.set_defaults(run=module.run)
    return parser


class _CommandList(HelpFormatter):
    """Leaves room for the longest command; argparse does not count that commands are indented."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = max(len(command.name) for command in COMMANDS) + 4


class _ShowVersion(Action):
    """Prints the version; its import takes a tenth of the time that a command may take to start."""

    def __call__(self, parser: ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"llama-mcp {version('llama-mcp')}")
        parser.exit()


def _no_command(parser: ArgumentParser) -> int:
    parser.print_usage(sys.stderr)
    return WRONG_ARGUMENTS
