"""`llama-mcp uninstall`: takes our entry out of clients' files, and nothing else."""

from argparse import ArgumentParser, Namespace

from llama_mcp.cli.install.arguments import add_common, places_here, tell, wanted_clients
from llama_mcp.cli.install.outcome import State
from llama_mcp.cli.install.setting_up import take_out
from llama_mcp.settings import inherited_environment

_EXAMPLES = """\
examples:
  llama-mcp uninstall codex
  llama-mcp uninstall --all --dry-run

llama-mcp itself, its sessions and its models stay.
"""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = _EXAMPLES
    add_common(parser, "every client on this machine that has the entry")


def run(arguments: Namespace) -> int:
    """Take the entry out; return 0 if no client has it now, else 1."""
    environment = inherited_environment()
    places = places_here(environment)
    outcomes = (
        take_out(client, places, is_project=arguments.project, is_dry_run=arguments.dry_run)
        for client in wanted_clients(arguments, places)
    )
    told = (each for each in outcomes if not (arguments.all and each.state is State.NOT_THERE))
    return tell(told, environment, is_json=arguments.json)
