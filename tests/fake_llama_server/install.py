"""What a test uses: put the stand-in into a folder, change its faults, read what it received."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from .faults import faults_from

CHECKOUT = Path(__file__).parents[2]

# A shell's first line, because one that names Python cannot hold a path with a space.
LAUNCHER = """\
#!/bin/sh
PYTHONPATH={checkout} exec {python} -P -c 'import sys
from tests.fake_llama_server.__main__ import main
main(sys.argv.pop(1))' "$0" "$@"
"""
# Windows' own kind of script.
BATCH_FILE = """\
@echo off
"{python}" -P -c "import sys; sys.path.insert(0, r'{checkout}'); \
from tests.fake_llama_server.__main__ import main; main(sys.argv.pop(1))" "%~f0" %*
"""


def install_fake(folder: Path, **faults: Any) -> Path:
    """Write an executable `llama-server` with these faults into the folder; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    set_faults(folder, **faults)
    paths = {"python": sys.executable, "checkout": str(CHECKOUT)}
    if sys.platform == "win32":
        executable, script = folder / "llama-server.cmd", BATCH_FILE.format(**paths)
    else:
        quoted = {name: shlex.quote(path) for name, path in paths.items()}
        executable, script = folder / "llama-server", LAUNCHER.format(**quoted)
    executable.write_text(script, encoding="utf-8")
    executable.chmod(0o755)
    return executable


def set_faults(folder: Path, **faults: Any) -> None:
    """Replace the faults; a running stand-in goes by the new ones at its next request."""
    faults_from(faults)
    whole = folder / "fake.json.new"
    whole.write_text(json.dumps(faults), encoding="utf-8")
    whole.replace(folder / "fake.json")


def received_requests(folder: Path) -> list[dict[str, Any]]:
    """Every request that had a body: method, path, headers (lower case) and body, oldest first."""
    return _lines(folder / "requests.jsonl")


def recorded_launches(folder: Path) -> list[dict[str, Any]]:
    """Every launch as a server: argv, pid and the names in its environment, oldest first."""
    return _lines(folder / "launches.jsonl")


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
