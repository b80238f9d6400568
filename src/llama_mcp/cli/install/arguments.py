"""What `install` and `uninstall` have in common: which clients, where, and how it is told."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from llama_mcp.cli.install.clients.all_clients import BY_NAME, CLIENTS, installed_clients
from llama_mcp.cli.install.known.client import Client
from llama_mcp.cli.install.known.places import Places
from llama_mcp.cli.install.outcome import Outcome
from llama_mcp.cli.terminal import Colour, Terminal

NAMES = ", ".join(client.name for client in CLIENTS)


def add_common(parser: ArgumentParser, all_means: str) -> None:
    """Add the arguments that both commands have."""
    parser.add_argument("client", nargs="*", type=_client, metavar="CLIENT", help=f"one of {NAMES}")
    parser.add_argument("--all", action="store_true", help=all_means)
    parser.add_argument(
        "--project", action="store_true", help="the file of the project in the current folder"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show the difference, and change nothing"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.set_defaults(refuse=parser.error)


def _client(name: str) -> str:
    if name not in BY_NAME:
        nearest = get_close_matches(name, BY_NAME, n=1)
        meant = f"; did you mean {nearest[0]}?" if nearest else ""
        raise ArgumentTypeError(f"{name!r} is no client that is known here{meant} Known: {NAMES}")
    return name


def places_here(environment: dict[str, str]) -> Places:
    """Return the folders of this machine and user."""
    return Places(sys.platform, Path.home(), environment, Path.cwd())


def wanted_clients(arguments: Namespace, places: Places) -> Sequence[Client]:
    """Return the clients that are named, or all that are on this machine.

    Arguments that name none, or names and `--all`, end the process as wrong ones do.
    """
    named = [BY_NAME[name] for name in dict.fromkeys(arguments.client)]
    if bool(named) == arguments.all:
        arguments.refuse(f"give either --all, or some of: {NAMES}")
    found = named or installed_clients(places)
    if arguments.project and not named:
        return [client for client in found if client.project_files]
    return found


def tell(outcomes: Iterable[Outcome], environment: dict[str, str], *, is_json: bool) -> int:
    """Tell what came of each client as it comes; return the exit code."""
    terminal, is_fault, documents = Terminal(environment), False, []
    for outcome in outcomes:
        is_fault |= outcome.state.is_fault
        documents.append(outcome.data())
        if not is_json:
            _show(outcome, terminal)
    if is_json:
        print(json.dumps({"clients": documents}, indent=2))
    elif not documents:
        terminal.line("No client was found on this machine.")
    return int(is_fault)


def _show(outcome: Outcome, terminal: Terminal) -> None:
    first, *more = outcome.lines()
    colour = Colour.RED if outcome.state.is_fault else Colour.GREEN
    terminal.write(f"{terminal.coloured(first, colour)}\n")
    for line in more:
        terminal.line(line)
