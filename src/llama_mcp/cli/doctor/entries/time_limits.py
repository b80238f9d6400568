"""How long clients wait, by what stands in their entries; docs/clients.md has the same figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """A limit of a client.

    Attributes:
        name: What it is called in an entry; empty where no entry says it.
        unit_seconds: How many seconds its number counts.
        default_seconds: What holds where no entry says it; None where none was met.
    """

    name: str
    unit_seconds: float
    default_seconds: float | None

    def of(self, written: Mapping[str, Any]) -> float | None:
        """Return the limit of an entry in seconds; None where there is none."""
        said = written.get(self.name)
        if isinstance(said, int | float) and not isinstance(said, bool):
            return said * self.unit_seconds
        return self.default_seconds


_MILLISECONDS = 0.001
_NONE = TimeLimit("", 1, None)
# By the clients' names on the command line. Where a call with progress is given more time, as
# opencode does, nothing is cut off.
_OF_CALLS = {
    "claude-code": TimeLimit("timeout", _MILLISECONDS, None),
    "cline": TimeLimit("timeout", 1, None),
    "codex": TimeLimit("tool_timeout_sec", 1, 60),
    "continue": TimeLimit("", 1, 60),
    "copilot": TimeLimit("timeout", _MILLISECONDS, None),
    "gemini": TimeLimit("timeout", _MILLISECONDS, 600),
    "goose": TimeLimit("timeout", 1, 300),
    "opencode": TimeLimit("timeout", _MILLISECONDS, None),
    "qwen": TimeLimit("timeout", _MILLISECONDS, 600),
    "zed": TimeLimit("timeout", 1, 60),
}
_OF_STARTS = {
    "codex": TimeLimit("startup_timeout_sec", 1, 10),
    "qwen": TimeLimit("discoveryTimeoutMs", _MILLISECONDS, 30),
}


def call_limit(client: str, written: Mapping[str, Any]) -> float | None:
    """Return after how many seconds a client gives up a call; None where that is not known."""
    return _OF_CALLS.get(client, _NONE).of(written)


def start_limit(client: str, written: Mapping[str, Any]) -> float | None:
    """Return what an entry says of how long a start may take; None where it says nothing."""
    return _OF_STARTS.get(client, _NONE).of(written)
