"""Check: which llama-mcp this is, and whether its command will be there tomorrow."""

import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version

from llama_mcp.cli.doctor.findings import Circumstances, Finding, fine, warning
from llama_mcp.cli.own_command import INSTALL_FOR_GOOD, own_command, why_not_lasting


async def look_at_installation(_: Circumstances) -> Sequence[Finding]:
    """Say version, Python and command."""
    number = version("llama-mcp")
    about = f"llama-mcp {number} on Python {platform.python_version()}, {platform.platform()}"
    command = " ".join(own_command())
    why = why_not_lasting(own_command()[0]) or why_not_lasting(sys.prefix)
    if why is None:
        return [fine(about), fine(f"the command is {command}")]
    lost = f"the command {command} will not last: it {why}, and a client's entry would break"
    return [fine(about), warning(f"{lost}.", INSTALL_FOR_GOOD)]
