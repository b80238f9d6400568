"""`llama-mcp sessions show` and `export`: all that was said in a session."""

import os
import sys
from argparse import Namespace
from pathlib import Path

from llama_mcp.cli.display.json_output import json_document
from llama_mcp.cli.rooms import use_rooms
from llama_mcp.cli.terminal import Terminal
from llama_mcp.errors import LlamaMCPError
from llama_mcp.observing.lean_data import structure_of
from llama_mcp.services import Services
from llama_mcp.sessions.errors import SessionNotFoundError
from llama_mcp.sessions.records import ArchivedTurn, Session
from llama_mcp.sessions.texts import clean_text
from llama_mcp.sessions.transcript import transcript
from llama_mcp.settings import inherited_environment
from llama_mcp.visible_text import visible_line

_TURNS_PER_READ = 200


class FileNotWrittenError(LlamaMCPError):
    """A file that cannot be written; nothing of it is there."""

    def __init__(self, path: Path, why: str, advice: str) -> None:
        super().__init__(f"{path} was not written: {why}. {advice}")


def show_session(arguments: Namespace) -> int:
    """Show all that was said in a session; return the exit code."""

    async def show(services: Services) -> int:
        session, turns = await whole_session(services, arguments.id, arguments.owner)
        _write(_document(session, turns, is_json=arguments.json))
        return 0

    return use_rooms(show, only_looks=True)


def export_session(arguments: Namespace) -> int:
    """Write all that was said in a session into a new file, or to stdout."""
    output = Path(arguments.output) if arguments.output else None
    is_json = arguments.json or arguments.format == "json"
    if arguments.format is None and output is not None:
        is_json = is_json or output.suffix.lower() == ".json"

    async def export(services: Services) -> int:
        session, turns = await whole_session(services, arguments.id, arguments.owner)
        document = _document(session, turns, is_json=is_json)
        if output is None:
            _write(document)
        else:
            _write_file(output, document)
            print(f"Written to {visible_line(str(output))}.", file=sys.stderr)
        return 0

    return use_rooms(export, only_looks=True)


async def whole_session(
    services: Services, session_id: str, owner: str
) -> tuple[Session, list[ArchivedTurn]]:
    """Return a session of the owner with all of its turns, brought up to date.

    Raises:
        SessionNotFoundError, SessionAmbiguousError: no session is meant, or several.
    """
    archive = services.archive
    if not archive.exists():
        raise SessionNotFoundError(session_id, {}, are_alike=False)
    await services.read_on(session_id, owner=owner)
    page = await archive.turns(session_id, 0, _TURNS_PER_READ, owner=owner)
    turns = list(page.turns)
    while len(turns) < page.total:
        more = await archive.turns(session_id, len(turns), _TURNS_PER_READ, owner=owner)
        if not more.turns:
            break
        turns += more.turns
    return page.session, turns


def _document(session: Session, turns: list[ArchivedTurn], *, is_json: bool) -> str:
    if is_json:
        data = structure_of(session) | {"turns": [structure_of(turn) for turn in turns]}
        return json_document(data)
    return clean_text(transcript(session, turns))


def _write(document: str) -> None:
    Terminal(inherited_environment()).write(document)


def _write_file(path: Path, document: str) -> None:
    """Write a new file for its owner alone, whole or not at all.

    Raises:
        FileNotWrittenError: there is a file, or the system refuses.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise FileNotWrittenError(path, "there is one", "Name another file.") from None
    except OSError as error:
        raise _refused(path, error) from error
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(document)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> FileNotWrittenError:
    return FileNotWrittenError(
        path, str(error.strerror or error), "Set that right, then try again."
    )
