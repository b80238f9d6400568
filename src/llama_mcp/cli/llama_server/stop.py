"""`llama-mcp stop`: stop llama-server and free its memory."""

import sys
from argparse import ArgumentParser, Namespace

from llama_mcp.cli.display.json_output import print_json
from llama_mcp.cli.display.progress_line import ProgressLine
from llama_mcp.cli.failures import COMMAND_WORDS
from llama_mcp.cli.rooms import use_rooms
from llama_mcp.cli.terminal import Terminal
from llama_mcp.llama_server.status import with_step
from llama_mcp.services import Services
from llama_mcp.settings import inherited_environment


def configure(parser: ArgumentParser) -> None:
    """Say what it stops and when not."""
    parser.description = (
        "Stop llama-server and free its memory. Sessions are kept. Refused while clients use it, "
        "unless --force is given."
    )
    parser.epilog = "examples:\n  llama-mcp stop\n  llama-mcp stop all --force"
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", help="of several, this one; `all` for all"
    )
    parser.add_argument("--force", action="store_true", help="although it is used")
    parser.add_argument("--json", action="store_true", help="its status then, as a JSON document")


def run(arguments: Namespace) -> int:
    """Stop it; return the exit code."""
    environment = inherited_environment()
    progress = ProgressLine(environment, sys.stderr)

    async def stop(services: Services) -> int:
        if sys.stderr.isatty():
            progress.show("Stopping llama-server ...")
        try:
            status = await services.engines.stop(force=arguments.force, model=arguments.model)
        finally:
            progress.clear()
        if arguments.json:
            print_json(with_step(status, COMMAND_WORDS))
        else:
            Terminal(environment).line(status.message)
        return 0

    return use_rooms(stop)
