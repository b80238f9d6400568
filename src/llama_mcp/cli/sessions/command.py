"""`llama-mcp sessions`: list, search, show, export and delete what was said."""

from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.cli.display.json_output import json_argument
from llama_mcp.cli.display.numbers import whole_number
from llama_mcp.cli.sessions.deleting import delete_sessions
from llama_mcp.cli.sessions.listing import list_sessions
from llama_mcp.cli.sessions.showing import export_session, show_session

_EXAMPLES = """examples:
  llama-mcp sessions
  llama-mcp sessions search france capital
  llama-mcp sessions show k7m2
  llama-mcp sessions export k7m2 -o talk.md
  llama-mcp sessions delete k7m2 9rst

ID is a session's id, or a beginning of it that no other has."""


def configure(parser: ArgumentParser) -> None:
    """Say what can be done with sessions."""
    parser.description = "List, search, show, export or delete conversations, also assistants'."
    parser.epilog = _EXAMPLES
    parser.set_defaults(act=list_sessions, words=[], limit=20, json=False)
    parser.set_defaults(owner=LOCAL_OWNER, all_owners=False)
    actions = parser.add_subparsers(metavar="list | search | show | export | delete")

    def action(name: str, help_text: str) -> ArgumentParser:
        added = actions.add_parser(
            name, help=help_text, formatter_class=RawDescriptionHelpFormatter
        )
        json_argument(added)
        return added

    json_argument(parser)
    listing = action("list", "the newest ones; as without a word")
    search = action("search", "those with all of the words, or most")
    search.add_argument("words", nargs="+", metavar="WORD", help="a word, or its beginning")
    for each in (listing, search):
        each.set_defaults(act=list_sessions)
        each.add_argument(
            *("-n", "--limit"),
            type=whole_number(10_000),
            default=20,
            metavar="N",
            help="at most so many (20)",
        )
        _owner_argument(each, may_be_all=True)
    _configure_one(action)


def _configure_one(action: Callable[[str, str], ArgumentParser]) -> None:
    show = action("show", "all that was said in one")
    show.set_defaults(act=show_session)
    export = action("export", "the same as Markdown or JSON, into a file")
    export.set_defaults(act=export_session)
    export.add_argument(
        "--format", choices=("markdown", "json"), help="markdown, unless the file ends in .json"
    )
    export.add_argument("-o", "--output", metavar="FILE", help="a new file; else stdout")
    for each in (show, export):
        each.add_argument("id", metavar="ID")
        _owner_argument(each)
    delete = action("delete", "delete some for good")
    delete.add_argument("ids", nargs="+", metavar="ID")
    delete.add_argument("-y", "--yes", action="store_true", help="without asking")
    _owner_argument(delete)
    delete.set_defaults(act=delete_sessions)


def _owner_argument(parser: ArgumentParser, *, may_be_all: bool = False) -> None:
    """Say whose sessions are meant: by default those of this machine's own clients."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--owner", default=SUPPRESS, metavar="NAME", help="those of a token of `serve --http`"
    )
    if may_be_all:
        group.add_argument(
            "--all-owners", action="store_true", default=SUPPRESS, help="those of everybody"
        )


def run(arguments: Namespace) -> int:
    """Do what is asked; return the exit code."""
    code: int = arguments.act(arguments)
    return code
