"""Marks by which changes of llama-servers are noticed, whatever process causes them.

What is read is records, processes and file times: llama-server itself is not asked.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llama_mcp.errors import LlamaMCPError

if TYPE_CHECKING:
    from llama_mcp.llama_server.engines import Engines
    from llama_mcp.llama_server.runs.named_states import State


@dataclass(frozen=True, slots=True)
class ServerMark:
    """What is seen of llama-server from outside; a part that differs means that it changed."""

    state: Hashable = None
    log: Hashable = None


class ServerMarks:
    """Looks at llama-servers again and again, for as long as somebody listens."""

    def __init__(self, engines: "Engines") -> None:
        self._engines = engines
        # Which run was meant by a name, while the last run of each model was the same as now.
        self._folders: tuple[Path, ...] = ()
        self._meant: dict[str, Path | None] = {}

    async def look(self, names: Collection[str]) -> tuple[ServerMark, Mapping[str, ServerMark]]:
        """Return the mark of all together, and that of each model.

        The log of all is that of the model that is meant when none is named.

        Args:
            names: the models, as callers name them; of one that never ran the mark is empty.
        """
        states = await self._engines.own.observe_all()
        together = ServerMark(tuple(map(_of_state, states)), _log_of(states[:1]))
        return together, {name: await self._of(name, states) for name in names}

    async def _of(self, name: str, states: "Sequence[State]") -> ServerMark:
        folders = tuple(state.run.folder for state in states)
        if folders != self._folders:
            self._folders, self._meant = folders, {}
        if name not in self._meant:
            self._meant[name] = await self._folder_of(name)
        meant = [state for state in states if state.run.folder == self._meant[name]]
        return ServerMark(tuple(map(_of_state, meant)), _log_of(meant))

    async def _folder_of(self, name: str) -> Path | None:
        try:
            seen = await self._engines.observe(name)
        except LlamaMCPError:  # whoever reads it is told
            return None
        return None if seen is None else seen.run.folder


def _of_state(state: "State") -> Hashable:
    return state.run.folder, state.state, state.pid


def _log_of(states: "Sequence[State]") -> Hashable:
    """Return a value that changes when the log of the first is written to; None without one."""
    try:
        about = states[0].run.log_path.stat()
    except (IndexError, FileNotFoundError):
        return None
    return about.st_mtime_ns, about.st_size
