"""What a plugin carries besides its manifest: the wheel, and a project that uv runs it from.

uv makes the environment beside it at the first start, with a Python of its own where there is none.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from bundles.facts import Facts

MAIN = "main.py"
_MAIN_TEXT = '''"""Starts llama-mcp; for programs that run a file instead of a command."""

import sys

from llama_mcp.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
'''
_PROJECT_TEXT = """\
[project]
name = "{name}-bundle"
version = "{version}"
requires-python = "{requires_python}"
dependencies = ["{name}[engine]"]

[tool.uv]
package = false

[tool.uv.sources]
{name} = {{ path = "{wheel}" }}
"""


def write_payload(folder: Path, facts: Facts, wheel: Path) -> None:
    """Write the project and the wheel into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(wheel, folder)
    project = _PROJECT_TEXT.format(
        name=facts.name,
        version=facts.version,
        requires_python=facts.requires_python,
        wheel=wheel.name,
    )
    (folder / "pyproject.toml").write_text(project, "utf-8")
    (folder / MAIN).write_text(_MAIN_TEXT, "utf-8")


def launch_arguments(folder: str) -> Sequence[str]:
    """Return the arguments with which uv serves from a folder that holds the payload."""
    return ["run", "--quiet", "--project", folder, "--no-dev", "llama-mcp"]
