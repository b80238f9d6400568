"""`llama-mcp sessions delete`: for good, after asking."""

import sys
from argparse import Namespace

from llama_mcp.cli.display.json_output import print_json
from llama_mcp.cli.failures import FAILED, WRONG_ARGUMENTS
from llama_mcp.cli.rooms import use_rooms
from llama_mcp.cli.terminal import Terminal
from llama_mcp.observing.lean_data import structure_of
from llama_mcp.services import Services
from llama_mcp.sessions.errors import SessionNotFoundError
from llama_mcp.sessions.records import Session
from llama_mcp.settings import inherited_environment
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import counted

_YES = frozenset({"y", "yes"})


def delete_sessions(arguments: Namespace) -> int:
    """Delete the sessions that are named, all or none; return the exit code."""
    if not arguments.yes and not sys.stdin.isatty():
        print("llama-mcp: nobody is there to ask; --yes deletes without.", file=sys.stderr)
        return WRONG_ARGUMENTS

    sessions: list[Session] = []
    owner: str = arguments.owner

    async def find(services: Services) -> int:
        sessions.extend(await _meant(services, arguments.ids, owner))
        return 0

    async def delete(services: Services) -> int:
        deleted = [await services.delete_session(each.session_id, owner=owner) for each in sessions]
        if arguments.json:
            print_json({"deleted": [structure_of(each) for each in deleted]})
        else:
            for each in deleted:
                Terminal(inherited_environment()).line(f"Deleted {_named(each)}.")
        return 0

    use_rooms(find)
    # Between the two: Ctrl-C ends a question only where no loop has taken it.
    if not arguments.yes and not _is_wanted(sessions):
        print("Nothing was deleted.", file=sys.stderr)
        return FAILED
    return use_rooms(delete)


async def _meant(services: Services, ids: list[str], owner: str) -> list[Session]:
    """Return the sessions, each once.

    Raises:
        SessionNotFoundError, SessionAmbiguousError, SessionBusyError: one cannot be deleted.
    """
    found: dict[str, Session] = {}
    for each in ids:
        if not services.archive.exists():
            raise SessionNotFoundError(each, {}, are_alike=False)
        await services.read_on(each, owner=owner)
        session = await services.archive.session(each, owner=owner)
        await services.archive.check_idle(session.session_id, owner=owner)
        found[session.session_id] = session
    return list(found.values())


def _is_wanted(sessions: list[Session]) -> bool:
    print("To be deleted for good:", file=sys.stderr)
    for each in sessions:
        print(f"  {_named(each)}", file=sys.stderr)
    print("Delete? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in _YES


def _named(session: Session) -> str:
    turns = counted(session.turns, "turn")
    return f"{session.session_id}  {visible_line(session.title)}  ({turns})"
