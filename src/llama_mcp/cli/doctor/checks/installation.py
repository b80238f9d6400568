"""Check: which llama-mcp this is, and whether its command will be there tomorrow."""

import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from llama_mcp.cli.doctor.findings import Circumstances, Finding, fine, warning
from llama_mcp.cli.install.command_path import our_entry, passing_folder_of
from llama_mcp.cli.install.errors import HOW_TO_STAY


def own_command(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the absolute command of this llama-mcp, and its arguments."""
    return our_entry(Path(sys.executable), environment).argv


async def look_at_installation(circumstances: Circumstances) -> Sequence[Finding]:
    """Say version, Python and command."""
    number = version("llama-mcp")
    about = f"llama-mcp {number} on Python {platform.python_version()}, {platform.platform()}"
    command = own_command(circumstances.environment)
    folder = passing_folder_of(command[0], circumstances.environment)
    if folder is None:
        return [fine(about), fine(f"the command is {' '.join(command)}")]
    lost = f"The command {' '.join(command)} will not last: it lies in {folder}."
    return [fine(about), warning(lost, f"{HOW_TO_STAY}.")]
