"""`llama-mcp status`: what llama-server is doing, once or again and again."""

import sys
from argparse import ArgumentParser, Namespace

from llama_mcp.cli.display.json_output import print_json
from llama_mcp.cli.failures import COMMAND_WORDS, WRONG_ARGUMENTS
from llama_mcp.cli.llama_server.screen import screen
from llama_mcp.cli.llama_server.watching import watch
from llama_mcp.cli.rooms import use_rooms
from llama_mcp.cli.terminal import Terminal
from llama_mcp.llama_server.status import with_step
from llama_mcp.observing.overview import Overview, overview
from llama_mcp.services import Services
from llama_mcp.settings import inherited_environment


def configure(parser: ArgumentParser) -> None:
    """Say what it shows and how."""
    parser.description = "Show what llama-server is doing. Nothing is started for it."
    parser.epilog = (
        "examples:\n  llama-mcp status\n  llama-mcp status --watch\n  llama-mcp status --json"
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help="of several, this one")
    parser.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")
    parser.add_argument(
        "--json", action="store_true", help="one JSON document; with --watch one a line"
    )


def run(arguments: Namespace) -> int:
    """Show the status; return the exit code."""
    terminal = Terminal(inherited_environment())
    if arguments.watch and not arguments.json and not terminal.obeys_codes:
        print("llama-mcp: --watch needs a terminal; --watch --json does not.", file=sys.stderr)
        return WRONG_ARGUMENTS

    async def look(services: Services) -> Overview:
        seen = await overview(
            services.observer, services.existing_archive, arguments.model, owner=None
        )
        return seen.model_copy(update={"status": with_step(seen.status, COMMAND_WORDS)})

    async def show(services: Services) -> int:
        if arguments.watch:
            await watch(lambda: look(services), terminal, is_json=arguments.json)
        elif arguments.json:
            print_json(await look(services))
        else:
            terminal.write("\n".join(screen(await look(services), terminal)) + "\n")
        return 0

    return use_rooms(show, only_looks=True)
