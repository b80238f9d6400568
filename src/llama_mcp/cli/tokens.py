"""`llama-mcp tokens`: who may call over HTTP."""

import json
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path

from llama_mcp.cli.display.json_output import json_argument, print_json
from llama_mcp.cli.terminal import Terminal
from llama_mcp.settings import inherited_environment
from llama_mcp.tokens.entry import TokenEntry
from llama_mcp.tokens.parsing import SCOPES
from llama_mcp.tokens.reading import read_tokens
from llama_mcp.tokens.writing import add_token, remove_token

_EXAMPLES = """examples:
  llama-mcp tokens add ann --tokens tokens.toml
  llama-mcp tokens add ops --scope operate --turns-at-once 2 --tokens tokens.toml
  llama-mcp tokens list --tokens tokens.toml
  llama-mcp tokens remove ann --tokens tokens.toml"""


def configure(parser: ArgumentParser) -> None:
    """Say what is done to the file."""
    parser.description = "Who may call `llama-mcp serve --http`: a file with a table for each."
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(metavar="add | list | remove", required=True)
    adding = actions.add_parser("add", help="make a token, print it once, and keep its hash")
    adding.add_argument("name", metavar="NAME", help="whose sessions and files it sees")
    adding.add_argument("--scope", choices=SCOPES, default=SCOPES[0], help="what it may do")
    for name in ("file-dir", "save-dir"):
        what = "read" if name == "file-dir" else "written"
        adding.add_argument(
            f"--{name}",
            metavar="FOLDER",
            action="append",
            type=Path,
            default=[],
            help=f"whose files may be {what}; may be repeated",
        )
    adding.add_argument("--turns-at-once", metavar="N", type=int, help="no limit without it")
    adding.add_argument("--tokens-a-day", metavar="N", type=int, help="no limit without it")
    adding.set_defaults(act=_add)
    listing = actions.add_parser("list", help="show the entries")
    json_argument(listing)
    listing.set_defaults(act=_list, json=False)
    removing = actions.add_parser("remove", help="its token is good no longer")
    removing.add_argument("name", metavar="NAME")
    removing.set_defaults(act=_remove)
    for each in (adding, listing, removing):
        each.formatter_class = RawDescriptionHelpFormatter
        each.add_argument("--tokens", metavar="FILE", type=Path, required=True, help="the file")


def run(arguments: Namespace) -> int:
    """Add, list or remove; return the exit code."""
    file = arguments.tokens.expanduser().absolute()
    code: int = arguments.act(arguments, file)
    return code


def _add(arguments: Namespace, file: Path) -> int:
    folders = {"file_dirs": arguments.file_dir, "save_dirs": arguments.save_dir}
    more = [
        f"{key} = {json.dumps([str(each.expanduser().absolute()) for each in given])}"
        for key, given in folders.items()
        if given
    ]
    limits = {"turns_at_once": arguments.turns_at_once, "tokens_a_day": arguments.tokens_a_day}
    more += [f"{key} = {value}" for key, value in limits.items() if value is not None]
    token = add_token(file, arguments.name, arguments.scope, more)
    print(token)
    print("It is shown this once; the file keeps its hash.", file=sys.stderr)
    return 0


def _list(arguments: Namespace, file: Path) -> int:
    entries = read_tokens(file)
    if arguments.json:
        print_json({"entries": [_row(entry) for entry in entries]})
        return 0
    terminal = Terminal(inherited_environment())
    for entry in entries:
        shown = [f"{key} {value}" for key, value in _row(entry).items() if value and key != "name"]
        terminal.line(f"{entry.caller.owner}: {', '.join(shown)}")
    return 0


def _remove(arguments: Namespace, file: Path) -> int:
    remove_token(file, arguments.name)
    return 0


def _row(entry: TokenEntry) -> dict[str, object]:
    caller = entry.caller
    return {
        "name": caller.owner,
        "scope": caller.scope.name.lower(),
        "file_dirs": [str(each) for each in caller.file_dirs or ()],
        "save_dirs": [str(each) for each in caller.save_dirs or ()],
        "turns_at_once": caller.turns_at_once,
        "tokens_a_day": caller.tokens_a_day,
    }
