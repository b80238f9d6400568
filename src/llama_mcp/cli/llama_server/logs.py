"""`llama-mcp logs`: the end of llama-server's log, and what comes."""

import sys
from argparse import ArgumentParser, Namespace
from typing import NoReturn

import anyio

from llama_mcp.cli.display.json_output import print_json
from llama_mcp.cli.display.numbers import whole_number
from llama_mcp.cli.rooms import use_rooms
from llama_mcp.cli.terminal import Terminal
from llama_mcp.llama_server.status import ServerLog
from llama_mcp.observing.followed_log import FollowedLog
from llama_mcp.services import Services
from llama_mcp.settings import inherited_environment
from llama_mcp.visible_text import visible

POLL_SECONDS = 0.5


def configure(parser: ArgumentParser) -> None:
    """Say what it shows."""
    parser.description = "Show the end of the log of the llama-server that runs, or ran last."
    parser.epilog = (
        "examples:\n  llama-mcp logs -n 20\n  llama-mcp logs -f\n  llama-mcp logs --level warning"
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help="of several, this one's")
    parser.add_argument("-f", "--follow", action="store_true", help="go on, until Ctrl-C")
    parser.add_argument(
        "-n",
        "--lines",
        type=whole_number(1000),
        default=100,
        metavar="N",
        help="at most so many (100)",
    )
    parser.add_argument(
        "--level", choices=("error", "warning", "info", "debug"), help="only these and worse"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document, without -f")


def run(arguments: Namespace) -> int:
    """Show the log; return the exit code."""
    terminal = Terminal(inherited_environment())

    async def show(services: Services) -> int:
        level, model = arguments.level, arguments.model
        if arguments.follow and not await services.engines.is_elsewhere(model):
            log = FollowedLog(services.engines, level=level, model=model)
            await _follow(log, arguments.lines, terminal)
        end = await services.observer.log_end(arguments.lines, level, model)
        if arguments.json:
            print_json(end)
        else:
            _print(end, terminal)
        return 0

    return use_rooms(show, only_looks=True)


def _print(log: ServerLog, terminal: Terminal) -> None:
    for line in log.lines:
        terminal.line(line)
    if log.note:
        print(visible(log.note), file=sys.stderr)


async def _follow(log: FollowedLog, lines: int, terminal: Terminal) -> NoReturn:
    """Print the end of the log and what comes, also of later launches, until cancelled."""
    end = await log.end(lines)
    if end is None:
        print("No llama-server was started yet; its log comes when one is.", file=sys.stderr)
    else:
        _print(end, terminal)
    while True:
        sys.stdout.flush()
        await anyio.sleep(POLL_SECONDS)
        begun, new = await log.news()
        if begun:
            print(visible(f"==> {begun} <=="), file=sys.stderr)
        for line in new:
            terminal.line(line)
