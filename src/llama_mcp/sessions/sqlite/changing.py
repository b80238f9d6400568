"""What is done to whole sessions: begun, retitled, cut, copied, deleted."""

import sqlite3

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.sessions.errors import SessionBusyError
from llama_mcp.sessions.records import Session
from llama_mcp.sessions.session_ids import mint_session_id
from llama_mcp.sessions.sqlite.attaching import copy_attached
from llama_mcp.sessions.sqlite.naming import find_begun, find_session
from llama_mcp.sessions.sqlite.rows import TURN_COLUMNS, build_turn_key, to_session
from llama_mcp.sessions.sqlite.store import Store, settle_dead_turns
from llama_mcp.sessions.sqlite.underway import read_underway, refuse_busy
from llama_mcp.sessions.texts import clean_text, clean_title, utc_now
from llama_mcp.wording import counted


def insert_session(
    connection: sqlite3.Connection,
    title: str,
    system_prompt: str | None,
    turn_count: int,
    owner: str,
) -> sqlite3.Row:
    """Begin an owner's session and return its row; its turns are the caller's business."""
    session_id = mint_session_id()
    connection.execute(
        """
        INSERT INTO sessions (session_id, title, system_prompt, created_at_utc, updated_at_utc,
            last_change, turn_count, owner)
        VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)
        """,
        (session_id, title, system_prompt, utc_now(), _count_change(connection), turn_count, owner),
    )
    return find_begun(connection, session_id)


def touch(connection: sqlite3.Connection, session_key: int, turn_count: int | None = None) -> None:
    """Make the session the one that changed last."""
    connection.execute(
        """
        UPDATE sessions SET updated_at_utc = ?, turn_count = coalesce(?, turn_count),
            last_change = ?
        WHERE session_key = ?
        """,
        (utc_now(), turn_count, _count_change(connection), session_key),
    )


def _count_change(connection: sqlite3.Connection) -> int:
    """Count one more change and return its number."""
    # Counted apart from sessions: deleting the one that changed last would give its number back.
    connection.execute("UPDATE totals SET last_change = last_change + 1")
    number: int = connection.execute("SELECT last_change FROM totals").fetchone()[0]
    return number


def update_session(
    store: Store, session_id: str, title: str | None, system_prompt: str | None, owner: str
) -> Session:
    """Change title or system prompt; None keeps it, an empty system prompt removes it."""
    if title is None and system_prompt is None:
        raise InvalidArgumentError("title", "and system_prompt are both missing", "Pass one.")
    if title is not None and not (title := clean_title(title)):
        raise InvalidArgumentError("title", "has no text", "Pass a short line, or leave it out.")
    with store.writing() as connection:
        session = find_session(connection, session_id, owner)
        if title is not None:
            connection.execute(
                "UPDATE sessions SET title = ? WHERE session_key = ?",
                (title, session["session_key"]),
            )
        if system_prompt is not None:
            connection.execute(
                "UPDATE sessions SET system_prompt = ?,"
                " system_prompt_changed_after_turn = turn_count WHERE session_key = ?",
                (clean_text(system_prompt) or None, session["session_key"]),
            )
        touch(connection, session["session_key"])
        return to_session(find_begun(connection, session_id))


def set_cut(store: Store, session_id: str, first_turn_in_prompt: int) -> None:
    """Leave the turns before this one out of later prompts; a cut never moves back."""
    with store.writing_unsynced() as connection:
        find_begun(connection, session_id)
        connection.execute(
            "UPDATE sessions SET first_turn_in_prompt = max(first_turn_in_prompt, ?)"
            " WHERE session_id = ?",
            (first_turn_in_prompt, session_id),
        )


def fork_session(store: Store, session_id: str, at_turn: int | None, owner: str) -> Session:
    """Copy the session up to a turn; up to the last one that has ended when none is named."""
    settle_dead_turns(store)
    with store.writing() as connection:
        origin = find_session(connection, session_id, owner)
        last = _last_turn_to_copy(store, origin, at_turn)
        title, system_prompt = origin["title"], origin["system_prompt"]
        copy = insert_session(connection, title, system_prompt, last, owner)
        # A cut that lies beyond the copy would leave all of it out.
        cut = origin["first_turn_in_prompt"]
        connection.execute(
            "UPDATE sessions SET forked_from = ?, forked_at_turn = ?, first_turn_in_prompt = ?"
            " WHERE session_key = ?",
            (session_id, last, cut if cut <= last else 1, copy["session_key"]),
        )
        _copy_turns(connection, origin["session_key"], copy["session_key"], last)
        return to_session(find_begun(connection, copy["session_id"]))


def delete_session(store: Store, session_id: str, owner: str) -> Session:
    """Remove the session with all its turns and return what it was."""
    settle_dead_turns(store)
    with store.writing() as connection:
        session = find_session(connection, session_id, owner)
        refuse_busy(store, session)
        key = session["session_key"]
        connection.execute(
            "DELETE FROM turns WHERE turn_key BETWEEN ? AND ?",
            (build_turn_key(key, 1), build_turn_key(key, session["turn_count"])),
        )
        connection.execute("DELETE FROM sessions WHERE session_key = ?", (key,))
        _count_change(connection)
        return to_session(session)


def _last_turn_to_copy(store: Store, origin: sqlite3.Row, at_turn: int | None) -> int:
    count: int = origin["turn_count"]
    underway = read_underway(store, origin)
    ended = count - 1 if underway else count
    last = ended if at_turn is None else at_turn
    if underway and (last == count or at_turn is None and not ended):
        raise SessionBusyError(
            underway, next_step=f"Pass at_turn={ended} to copy what has ended, or {{wait}} first."
        )
    if not 0 <= last <= ended:
        raise InvalidArgumentError(
            "at_turn",
            f"is {last}, and the session has {counted(ended, 'turn')}",
            f"Pass at most {ended}; 0 copies no turn.",
        )
    return last


def _copy_turns(connection: sqlite3.Connection, origin: int, copy: int, last: int) -> None:
    columns = ", ".join(TURN_COLUMNS)
    copy_attached(connection, origin, copy, last)
    connection.execute(
        f"INSERT INTO turns (turn_key, {columns})"
        f" SELECT turn_key + ?, {columns} FROM turns WHERE turn_key BETWEEN ? AND ?",
        (
            build_turn_key(copy - origin, 0),
            build_turn_key(origin, 1),
            build_turn_key(origin, last),
        ),
    )
