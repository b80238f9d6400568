"""How a client starts us: which command, with which of its variables, in which era, how patiently.

What clients hand on was seen in the real programs, unless it says otherwise.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Era = Literal["2026-07-28", "initialize"]
# What a client waits after it has closed our stdin, before it kills (MCP SDKs for Python and
# TypeScript; the specification names no time).
SDK_EXIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Passes:
    """Which variables of its own environment a client hands on.

    Attributes:
        names: Only these; None for all.
        without: None that has one of these words in its name, in capitals.
        search_path: What PATH is to a client that no shell has started; None for our own PATH.
    """

    names: frozenset[str] | None = None
    without: tuple[str, ...] = ()
    search_path: str | None = None

    def of(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return those of the variables that are handed on."""
        handed_on = {
            name: value
            for name, value in inherited.items()
            if (self.names is None or name in self.names)
            and not any(word in name.upper() for word in self.without)
        }
        if self.search_path is not None:
            handed_on["PATH"] = self.search_path
        return handed_on


if sys.platform == "win32":
    _SDK_NAMES = (
        *("APPDATA", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "PATH", "PROCESSOR_ARCHITECTURE"),
        *("SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "USERNAME", "USERPROFILE"),
    )
    # Codex takes a list of the shell's there, in which these are; not seen in the real program.
    _CODEX_NAMES = (*_SDK_NAMES, "PATHEXT", "COMSPEC", "PROGRAMFILES", "PROGRAMDATA", "TMP")
    _DESKTOP_PATH = None  # programs of a desktop and of a terminal have the same
else:
    _SDK_NAMES = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER")
    _CODEX_NAMES = (*_SDK_NAMES, "__CF_USER_TEXT_ENCODING", "LANG", "LC_ALL", "TMPDIR", "TZ")
    # What launchd gives on macOS, and what a Linux session has that no shell has started.
    _DESKTOP_PATH = (
        "/usr/bin:/bin:/usr/sbin:/sbin"
        if sys.platform == "darwin"
        else "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    )

PASSES_ALL = Passes()
# The default of the SDKs for Python (mcp/client/stdio.py) and TypeScript (client/stdio.ts).
PASSES_LIKE_SDKS = Passes(frozenset(_SDK_NAMES))
# codex-rs/rmcp-client/src/utils.rs, DEFAULT_ENV_VARS.
PASSES_LIKE_CODEX = Passes(frozenset(_CODEX_NAMES))
PASSES_LIKE_GEMINI = Passes(without=("TOKEN", "SECRET", "PASSWORD", "KEY", "AUTH", "CREDENTIAL"))
# An application that is started from a menu or a dock, and uses an SDK.
PASSES_LIKE_DESKTOP = Passes(frozenset(_SDK_NAMES), search_path=_DESKTOP_PATH)


@dataclass(frozen=True, slots=True)
class Launch:
    """How a client starts us.

    Attributes:
        argv: Absolute command and its arguments.
        env: The entry's own variables, filled in as the client does it.
        passes: Which of its own variables the client hands on.
        era: How it begins: `server/discover` of 2026-07-28, or `initialize`.
        protocol_version: What it asks for.
        first_answer_seconds: How long it waits for the first answer.
        cwd: The folder that it starts us in.
        exit_seconds: How long it waits after it has closed stdin, before it kills.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    passes: Passes
    era: Era
    protocol_version: str
    first_answer_seconds: float
    cwd: str = "/"
    exit_seconds: float = SDK_EXIT_SECONDS
