"""A change is carried out: worked out from the file as it is now, written, put back if need be."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from llama_mcp.cli.install.changing import backups
from llama_mcp.cli.install.changing.change import (
    Change,
    Kind,
    change_to_remove,
    has_entry,
    value_in,
)
from llama_mcp.cli.install.changing.config_file import (
    ChangedMeanwhileError,
    ConfigFile,
    delete_file,
    read_file,
    write_file,
)
from llama_mcp.cli.install.changing.own_program import OwnProgram
from llama_mcp.cli.install.errors import CLOSE_IT, ClientFileError
from llama_mcp.cli.install.forms.editing import Value
from llama_mcp.cli.install.known.client import Client

# A client that writes its file does so within moments, and not always.
_MOST_TRIES = 5
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Written:
    """A change that was carried out, where the file as it was is kept, and what program did it."""

    change: Change
    backup: Path | None = None
    program: OwnProgram | None = None


def current_change(path: Path, plan: Callable[[ConfigFile], Change]) -> Change:
    """Return the change of a file as it is now; one that is just being written is read again.

    Raises:
        ClientFileError: it cannot be read or has no place for the entry, and stays like that.
    """
    read = read_file(path)
    for _ in range(_MOST_TRIES):
        try:
            return plan(read)
        except ClientFileError:
            time.sleep(_PAUSE_SECONDS)
            again = read_file(path)
            if again.content == read.content:
                raise
            read = again
    return plan(read)


def carry_out(
    client: Client, path: Path, plan: Callable[[ConfigFile], Change], *, is_private: bool
) -> Written:
    """Work out a change and write it, again when the file has changed meanwhile.

    Raises:
        ClientFileError: it cannot be done; the file is as it was.
    """
    for _ in range(_MOST_TRIES):
        change = current_change(path, plan)
        if change.kind is Kind.NOTHING:
            return Written(change)
        try:
            return _write(client, change, is_private=is_private)
        except ChangedMeanwhileError:
            time.sleep(_PAUSE_SECONDS)
    raise ClientFileError(path, "is written again and again by somebody else", CLOSE_IT)


def add_by_program(
    client: Client,
    path: Path,
    plan: Callable[[ConfigFile], Change],
    program: OwnProgram,
    value: Value,
) -> Written:
    """Have the client's program write the entry; raises ClientFileError and OwnCommandError."""
    change = current_change(path, plan)
    if change.kind is Kind.NOTHING:
        return Written(change)
    backup = _keep(client, change.read)
    program.put(value, value_in(client, change.read))
    return _done(client, change, backup, program)


def remove_by_program(client: Client, change: Change, program: OwnProgram) -> Written:
    """Have the client's program take the entry out; raises as `add_by_program`."""
    backup = _keep(client, change.read)
    program.remove()
    return _done(client, change, backup, program)


def put_back(client: Client, written: Written) -> None:
    """Put back what was there before; if others have written since, take only our entry out."""
    change = written.change
    if written.program:
        before = value_in(client, change.read)
        written.program.remove()
        if before is not None:
            written.program.put(before, None)
        return
    now = read_file(change.read.path)
    if now.content != change.content:
        carry_out(client, now.path, partial(change_to_remove, client), is_private=True)
    elif change.read.content is None:
        delete_file(now)
    else:
        write_file(now, change.read.content, is_private=True)
    if written.backup:
        written.backup.unlink(missing_ok=True)


def _write(client: Client, change: Change, *, is_private: bool) -> Written:
    if change.is_as_before:
        _write_content(change, is_private=is_private)
        backups.forget_equal(change.read.target)
        return Written(change)
    backup = _keep(client, change.read)
    try:
        _write_content(change, is_private=is_private)
    except BaseException:
        if backup:
            backup.unlink(missing_ok=True)
        raise
    return _done(client, change, backup)


def _keep(client: Client, read: ConfigFile) -> Path | None:
    """Keep the file as it is beside it; return where, None if there is no file."""
    if read.content is None:
        return None
    try:
        return backups.back_up(read.target, datetime.now())
    except OSError as error:
        problem = f"has no place for a backup beside it: {error.strerror or error}"
        raise ClientFileError(read.path, problem) from error


def _done(
    client: Client, change: Change, backup: Path | None, program: OwnProgram | None = None
) -> Written:
    """Return what was written; backups that it has made needless go."""
    if backup:
        backups.forget_older(change.read.target, partial(has_entry, client))
    return Written(change, backup, program)


def _write_content(change: Change, *, is_private: bool) -> None:
    if change.content is None:
        delete_file(change.read)
    else:
        write_file(change.read, change.content, is_private=is_private)
