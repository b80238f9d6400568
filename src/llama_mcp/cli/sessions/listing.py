"""`llama-mcp sessions list` and `search`."""

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.cli.display.columns import Column, table, wrapped
from llama_mcp.cli.display.json_output import print_json
from llama_mcp.cli.rooms import use_rooms
from llama_mcp.cli.terminal import Colour, Terminal
from llama_mcp.observing.lean_data import structure_of
from llama_mcp.services import Services
from llama_mcp.sessions.records import Session, SessionList
from llama_mcp.sessions.texts import seconds_since
from llama_mcp.settings import inherited_environment
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import lasting

NONE_YET = "There is no session yet; `llama-mcp chat` begins one."
_COLUMNS = (
    Column("ID"),
    Column("TITLE", is_flexible=True),
    Column("TURNS", is_number=True),
    Column("CHANGED", is_number=True),
    Column("REPLY"),
)


def list_sessions(arguments: Namespace) -> int:
    """List the sessions that changed last, or those that match; return the exit code."""

    async def show(services: Services) -> int:
        query, limit = " ".join(arguments.words), arguments.limit
        owners = [arguments.owner]
        if arguments.all_owners:
            owners = [*await services.archive.owners()]
        found = {each: await sessions_found(services, query, limit, each) for each in owners}
        if arguments.json:
            listed = {owner: _data(of_owner) for owner, of_owner in found.items()}
            print_json({"owners": listed} if arguments.all_owners else listed[arguments.owner])
            return 0
        terminal = Terminal(inherited_environment())
        lines = []
        for owner, of_owner in found.items():
            lines += [f"Of {visible_line(owner)}:"] if arguments.all_owners else []
            lines += session_lines(of_owner, terminal)
        terminal.write("\n".join(lines or [NONE_YET]) + "\n")
        return 0

    return use_rooms(show, only_looks=True)


async def sessions_found(
    services: Services, query: str, limit: int, owner: str = LOCAL_OWNER
) -> SessionList:
    """Return the sessions that changed last, or those that match, with how replies stand.

    An archive that does not exist is not made.
    """
    archive = services.archive
    if not archive.exists():
        return SessionList(total=0, note=NONE_YET)
    found = await archive.list_sessions(query or None, limit, owner=owner)
    ids = [each.session_id for each in found.sessions]
    states = await services.unfinished(ids, owner=owner)
    rows = tuple(
        each.model_copy(update={"system_prompt": None, "unfinished": states.get(each.session_id)})
        for each in found.sessions
    )
    none_yet = NONE_YET if owner == LOCAL_OWNER else f"{visible_line(owner)} has no session."
    note = found.note if rows or query else none_yet
    return found.model_copy(update={"sessions": rows, "note": note})


def _data(found: SessionList) -> dict[str, Any]:
    return structure_of(found) if found.sessions else {"sessions": [], "total": found.total}


def session_lines(found: SessionList, terminal: Terminal) -> list[str]:
    """Return a table of sessions, what was found in them, and how many more there are; pure."""
    lines = []
    if found.sessions:
        head, *rows = table(_COLUMNS, [*map(_row, found.sessions)], terminal.columns)
        lines = [terminal.coloured(head, Colour.BOLD)]
        for session, row in zip(found.sessions, rows, strict=True):
            match = [f"    {' '.join(session.match.split())}"] if session.match else []
            lines += [row, *(terminal.coloured(visible_line(each), Colour.DIM) for each in match)]
    return [*lines, *wrapped(_remarks(found), terminal.columns)]


def _row(session: Session) -> tuple[str, ...]:
    changed = lasting(seconds_since(session.updated_at_utc))
    state = session.unfinished or ""
    return session.session_id, session.title, str(session.turns), f"{changed} ago", state


def _remarks(found: SessionList) -> Iterator[str]:
    if found.note:
        yield found.note
    more = found.total - len(found.sessions)
    if found.sessions and more > 0:
        yield f"{more} more: -n {found.total} shows all."
