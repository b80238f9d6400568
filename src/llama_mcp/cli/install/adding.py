"""`llama-mcp install`: sets clients up."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from llama_mcp.cli.install.arguments import add_common, places_here, tell, wanted_clients
from llama_mcp.cli.install.command_path import our_entry, passing_folder_of
from llama_mcp.cli.install.errors import NotLastingError
from llama_mcp.cli.install.given_settings import variables_of
from llama_mcp.cli.install.known.client import Client
from llama_mcp.cli.install.known.entry import Entry
from llama_mcp.cli.install.known.places import Places
from llama_mcp.cli.install.outcome import Outcome
from llama_mcp.cli.install.proving_entry import Proving
from llama_mcp.cli.install.setting_up import Wish, set_up
from llama_mcp.cli.terminal import Colour, Terminal
from llama_mcp.settings import inherited_environment

_EXAMPLES = """\
examples:
  llama-mcp install claude-code codex
  llama-mcp install --all --dry-run
  llama-mcp install vscode --project --set MODEL_PATH=~/models/qwen.gguf --set CTX_SIZE=16384
  llama-mcp install cursor --link

llama-mcp is first started as the client starts it, and used once; only then is the client's file
changed, by this one entry. The file as it was stays beside it.
"""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = _EXAMPLES
    add_common(parser, "every client that is on this machine: its folder or its command is there")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting for the entry, with or without LLAMA_MCP_ in front; may be repeated",
    )
    parser.add_argument(
        "--replace", action="store_true", help="replace another entry that is named llama-mcp"
    )
    parser.add_argument(
        "--link", action="store_true", help="print the link that adds it, and change nothing"
    )


def run(arguments: Namespace) -> int:
    """Set clients up; return 0 if all have the entry now, else 1."""
    environment = inherited_environment()
    places = places_here(environment)
    clients = wanted_clients(arguments, places)
    entry = replace(lasting_entry(environment), env=variables_of(arguments.set))
    if arguments.link:
        return _print_links(clients, entry, is_json=arguments.json)
    wish = Wish(entry, arguments.project, arguments.replace, arguments.dry_run)
    outcomes = _outcomes(clients, wish, places, Terminal(environment, sys.stderr))
    return tell(outcomes, environment, is_json=arguments.json)


def lasting_entry(environment: dict[str, str]) -> Entry:
    """Return the entry that starts this llama-mcp.

    Raises:
        NotLastingError: it will be gone before long.
    """
    entry = our_entry(Path(sys.executable), environment)
    if where := passing_folder_of(entry.command, environment):
        raise NotLastingError(entry.command, where)
    return entry


def _outcomes(
    clients: Sequence[Client], wish: Wish, places: Places, progress: Terminal
) -> Iterator[Outcome]:
    def say(line: str) -> None:
        progress.write(f"{progress.coloured(f'  {line}', Colour.DIM)}\n")

    proving = Proving(say)
    for client in clients:
        yield set_up(client, wish, places, proving)


def _print_links(clients: Sequence[Client], entry: Entry, *, is_json: bool) -> int:
    links = {client.name: client.link(client.written(entry)) for client in clients if client.link}
    if is_json:
        print(json.dumps({"links": links}, indent=2))
    else:
        for link in links.values():
            print(link)
    without = [client.title for client in clients if not client.link]
    if without:
        print(f"llama-mcp: no link is known for {', '.join(without)}.", file=sys.stderr)
    return int(bool(without))
