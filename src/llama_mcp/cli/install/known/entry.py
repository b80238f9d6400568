"""Our entry: what is started with which settings, and how each client writes it down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NAME = "llama-mcp"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a client is to start.

    Attributes:
        command: The full path of the program.
        args: Its arguments.
        env: Settings, by the names of their variables.
    """

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def argv(self) -> tuple[str, ...]:
        """The program and its arguments."""
        return (self.command, *self.args)

    @property
    def is_llama_mcp(self) -> bool:
        """Whether it starts a llama-mcp, by whatever launcher."""
        last_parts = (word.replace("\\", "/").rpartition("/")[2] for word in self.argv)
        names = {part.removesuffix(".exe") for part in last_parts}
        return not names.isdisjoint({NAME, "llama_mcp"})


@dataclass(frozen=True, slots=True)
class EntryForm:
    """How a client writes an entry down.

    Attributes:
        before: What it wants before the command.
        after: What it wants behind the command.
        command: What it calls the command.
        is_one_list: Whether command and arguments are one list.
        env: What it calls the settings.
    """

    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    command: str = "command"
    is_one_list: bool = False
    env: str = "env"

    def written(self, entry: Entry) -> dict[str, Any]:
        """Return the entry as the client has it."""
        command: dict[str, Any] = {self.command: entry.command, "args": list(entry.args)}
        if self.is_one_list:
            command = {self.command: [*entry.argv]}
        settings = {self.env: dict(entry.env)} if entry.env else {}
        return {**self.before, **command, **self.after, **settings}

    def read(self, written: Any) -> Entry | None:
        """Return what an entry of the client starts; None for what starts no program."""
        held = written if isinstance(written, dict) else {}
        command, args = held.get(self.command), held.get("args")
        if isinstance(command, list) and command:
            command, *args = command
        env = held.get(self.env)
        texts = (
            {str(name): str(value) for name, value in env.items()} if isinstance(env, dict) else {}
        )
        if not isinstance(command, str):
            return None
        return Entry(command, tuple(map(str, args)) if isinstance(args, list) else (), texts)
