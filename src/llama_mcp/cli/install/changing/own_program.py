"""A client's own program changes its configuration, because it knows best how.

What else the program writes stays: nothing is put back but our entry, by the program again.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from llama_mcp.cli.install.errors import OwnCommandError
from llama_mcp.cli.install.forms.editing import Value
from llama_mcp.cli.install.known.client import Client, OwnCommand
from llama_mcp.cli.install.known.places import Places
from llama_mcp.wording import shortened

# On a slow disk such a program takes seconds to start.
_LIMIT_SECONDS = 60
_MOST_SAID = 300
# Their quoting rules are those of a shell; what JSON holds cannot be handed over safely.
_SCRIPTS = (".bat", ".cmd")


def found_program(client: Client, places: Places) -> "OwnProgram | None":
    """Return the client's program, None if it has none, or none that can be used."""
    if client.own_command is None:
        return None
    path = shutil.which(client.own_command.program, path=places.environment.get("PATH", ""))
    if path is None or Path(path).suffix.lower() in _SCRIPTS:
        return None
    return OwnProgram(path, client.own_command, places)


@dataclass(frozen=True, slots=True)
class OwnProgram:
    """The program, with which entries are added and removed in its own way."""

    path: str
    words: OwnCommand
    places: Places

    def put(self, value: Value, before: Value | None) -> None:
        """Have our entry added, in the place of what was there.

        Raises:
            OwnCommandError: it did not do it, with what it said; what was there is there again.
        """
        if before is None:
            self._add(value)
            return
        self.remove()
        try:
            self._add(value)
        except OwnCommandError:
            self._add(before)
            raise

    def remove(self) -> None:
        """Have our entry removed; raises OwnCommandError with what the program said."""
        _run([self.path, *self.words.remove], self.places)

    def _add(self, value: Value) -> None:
        _run([self.path, *self.words.add, json.dumps(value, ensure_ascii=False)], self.places)


def _run(command: list[str], places: Places) -> None:
    """Run such a command; its words are shown without the entry."""
    shown = " ".join([Path(command[0]).name, *command[1:3]])
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=places.current,
            env=dict(places.environment),
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OwnCommandError(shown, f"it still ran after {_LIMIT_SECONDS} s") from None
    except OSError as error:
        raise OwnCommandError(shown, error.strerror or str(error)) from error
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().rstrip(".")
        raise OwnCommandError(shown, shortened(said, _MOST_SAID) or f"exit code {done.returncode}")
