"""A client's own program changes its configuration: found, run, and asked why if it does not."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from llama_mcp.cli.install.errors import OwnCommandError
from llama_mcp.cli.install.known.client import Client
from llama_mcp.cli.install.known.places import Places
from llama_mcp.wording import shortened

# On a slow disk such a program takes seconds to start.
_LIMIT_SECONDS = 60
_MOST_SAID = 300
# Their quoting rules are those of a shell; what JSON holds cannot be handed over safely.
_SCRIPTS = (".bat", ".cmd")


def found_program(client: Client, places: Places) -> str | None:
    """Return the path of the client's program, None if it has none, or none that can be used."""
    if client.own_command is None:
        return None
    path = shutil.which(client.own_command.program, path=places.environment.get("PATH", ""))
    return None if path is None or Path(path).suffix.lower() in _SCRIPTS else path


def add(client: Client, program: str, value: Mapping[str, object], places: Places) -> None:
    """Have an entry added; raises OwnCommandError with what the program said."""
    words = client.own_command.add if client.own_command else ()
    _run([program, *words, json.dumps(value, ensure_ascii=False)], places)


def remove(client: Client, program: str, places: Places) -> None:
    """Have our entry removed; raises as `add`."""
    _run([program, *(client.own_command.remove if client.own_command else ())], places)


def _run(command: list[str], places: Places) -> None:
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
        raise OwnCommandError(shown, str(error)) from error
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise OwnCommandError(shown, shortened(said, _MOST_SAID) or f"exit code {done.returncode}")
