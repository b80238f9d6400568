"""What came of one client, as people and as programs read it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path


class State(StrEnum):
    """What came of it."""

    ADDED = "added"
    REPLACED = "replaced"
    ALREADY_THERE = "already there"
    REMOVED = "removed"
    NOT_THERE = "not there"
    WOULD_CHANGE = "would change"
    DIFFERENT = "different"
    NOT_PROVED = "not proved"
    FAILED = "failed"

    @property
    def is_fault(self) -> bool:
        """Whether what was asked for was not done."""
        return self in (State.DIFFERENT, State.NOT_PROVED, State.FAILED)


_WORDS = {
    State.ADDED: "added to {file}",
    State.REPLACED: "replaced in {file}",
    State.ALREADY_THERE: "already there, in {file}",
    State.REMOVED: "taken out of {file}",
    State.NOT_THERE: "not there, in {file}",
    State.WOULD_CHANGE: "would change {file}",
    State.DIFFERENT: "another entry of that name is in {file}; nothing was written",
    State.NOT_PROVED: "nothing was written, because llama-mcp did not work as it is started there",
    State.FAILED: "nothing was written",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one client.

    Attributes:
        client: Its name on the command line.
        title: Its name.
        state: What came of it.
        file: The file that it is about.
        change: What went and came, or would.
        backup: Where the file as it was is kept.
        proof: What was seen when llama-mcp was launched as the client does.
        notes: What should be known.
        problem: What is wrong.
        next_steps: What is left to do.
    """

    client: str
    title: str
    state: State
    file: Path | None = None
    change: tuple[str, ...] = ()
    backup: Path | None = None
    proof: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    next_steps: tuple[str, ...] = field(default=())

    def but(self, **changes: object) -> "Outcome":
        """Return the outcome with some of it changed."""
        return replace(self, **changes)  # type: ignore[arg-type]  # the fields' own types

    def lines(self) -> Iterator[str]:
        """Yield what people read: one line for it, and lines below for what belongs to it."""
        yield f"{self.title}: {_WORDS[self.state].format(file=self.file)}"
        if self.state in (State.WOULD_CHANGE, State.DIFFERENT):
            yield from (f"  {line}" for line in self.change)
        if self.problem:
            yield from (f"  {line}" for line in self.problem.splitlines())
        yield from (f"  {note}" for note in self.notes)
        if self.backup:
            yield f"  As it was: {self.backup}"
        yield from (f"  To do: {step}" for step in self.next_steps)

    def data(self) -> dict[str, object]:
        """Return what programs read."""
        return {
            "client": self.client,
            "state": self.state.value,
            "file": str(self.file) if self.file else None,
            "change": list(self.change),
            "backup": str(self.backup) if self.backup else None,
            "proof": list(self.proof),
            "notes": list(self.notes),
            "problem": self.problem or None,
            "next_steps": list(self.next_steps),
        }
