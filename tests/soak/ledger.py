"""What was said to llama-mcp and what came back, to be compared with the archive at the end."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

MARKER = re.compile(r"<\w+ \d+>")
FAILED_TURN = re.compile(r"This was turn (\d+) of session ([\w-]+)\.")
# Words of an error that only a bug makes.
SIGNS_OF_A_BUG = re.compile(r"Traceback|unexpected error|Error executing|Internal")


@dataclass
class Said:
    """One message: who said it, and how it went as far as its sender knows."""

    owner: str
    session_id: str | None = None
    turn: int | None = None
    status: str | None = None
    reply: str | None = None
    is_deleted: bool = False
    may_be_deleted: bool = False
    """Whether its session was to be deleted, and nobody knows what came of that."""


@dataclass
class Ledger:
    """All messages by their markers, which no two messages share."""

    said: dict[str, Said] = field(default_factory=dict)
    deleted_sessions: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    # Of replies that were told unfinished, in the last second before their llama-mcp was killed.
    unsaved_characters: int = 0

    def say(self, owner: str, words: str) -> tuple[str, Said]:
        """Return the text of a new message, and its entry."""
        text = f"<{owner} {len(self.said)}> {words}"
        self.said[text] = Said(owner)
        return text, self.said[text]

    def fault(self, text: str) -> None:
        """Note something that must not be."""
        self.faults.append(text)

    def forget_session(self, session_id: str) -> None:
        """Note that a session was deleted with all that was said in it."""
        self.deleted_sessions.add(session_id)
        for said in self.said.values():
            said.is_deleted |= said.session_id == session_id

    def doubt_session(self, session_id: str, *, is_in_doubt: bool) -> None:
        """Note that a session is about to be deleted, or that it was not."""
        for said in self.said.values():
            if said.session_id == session_id:
                said.may_be_deleted = is_in_doubt

    def check_transcript(self, owner: str, text: str) -> None:
        """Look for words of others in what somebody reads of his own session."""
        strange = {found for found in MARKER.findall(text) if not found.startswith(f"<{owner} ")}
        if strange:
            self.fault(f"{owner} reads words of others: {sorted(strange)[:3]}")

    def compare(self, archive: Path) -> None:
        """Compare all that was said with the archive, which nobody may be writing any more."""
        with closing(sqlite3.connect(archive)) as connection:
            (integrity,) = connection.execute("PRAGMA integrity_check").fetchone()
            (underway,) = connection.execute("SELECT count(*) FROM underway").fetchone()
            rows = connection.execute(
                "SELECT session_id, turn, status, message, reply FROM turns"
                " JOIN sessions USING (session_key) WHERE forked_from IS NULL"
            ).fetchall()
        if integrity != "ok":
            self.fault(f"integrity_check: {integrity}")
        if underway:
            self.fault(f"{underway} turns are under way although nobody is there")
        kept = {
            message: Kept(session_id, turn, status, reply)
            for session_id, turn, status, message, reply in rows
        }
        if len(kept) != len(rows):
            self.fault("a message is in the archive twice")
        for message in kept.keys() - self.said.keys():
            self.fault(f"{message} is in the archive, but nobody said it")
        for message, said in self.said.items():
            for fault in _differences(said, kept.get(message), self.deleted_sessions):
                self.fault(f"{message}: {fault}")
        self._check_owners(kept)
        for message in kept.keys() & self.said.keys():
            told = len(self.said[message].reply or "")
            self.unsaved_characters += max(0, told - len(kept[message].reply))

    def _check_owners(self, kept: dict[str, "Kept"]) -> None:
        """See that no session has words of two."""
        owners: dict[str, set[str]] = {}
        for message in kept.keys() & self.said.keys():
            owners.setdefault(kept[message].session_id, set()).add(self.said[message].owner)
        for session_id, several in owners.items():
            if len(several) > 1:
                self.fault(f"session {session_id} has words of {sorted(several)}")


@dataclass(frozen=True)
class Kept:
    """A turn as the archive has it."""

    session_id: str
    turn: int
    status: str
    reply: str


def _differences(said: Said, kept: Kept | None, deleted_sessions: set[str]) -> Iterator[str]:
    """Say how a message's sender and the archive disagree."""
    if kept is not None and kept.session_id in deleted_sessions:
        yield "its session was deleted, and is there"
    if said.session_id is None or said.is_deleted:
        return  # its sender never heard of it, or wanted it gone
    if kept is None:
        if not said.may_be_deleted:
            yield "it is not in the archive"
        return
    if (kept.session_id, kept.turn) != (said.session_id, said.turn):
        yield f"said in {said.session_id} {said.turn}, kept in {kept.session_id} {kept.turn}"
    if said.status in ("complete", "cancelled", "failed") and kept.status != said.status:
        yield f"its sender was told {said.status}, the archive says {kept.status}"
    if said.status == "complete" and said.reply != kept.reply:
        yield "the archive has another reply than its sender was given"
    told, shorter = said.reply or "", min(len(said.reply or ""), len(kept.reply))
    # An unfinished reply is saved once a second, so a process that is killed can lose the last one.
    may_be_shorter = kept.status == "interrupted"
    if kept.reply[:shorter] != told[:shorter] or (shorter < len(told) and not may_be_shorter):
        yield f"of the {len(told)} characters that its sender had, some are lost"
