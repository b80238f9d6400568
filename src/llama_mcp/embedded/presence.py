"""Whether the embedded engine is installed, and the command that starts it."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec

# What the extra `engine` in pyproject.toml names. Double quotes quote in every shell.
INSTALL_COMMAND = 'pip install "xllamacpp>=2026.10"'
if sys.platform == "win32":
    INSTALL_COMMAND += " msvc-runtime"


def embedded_engine_installed() -> bool:
    """Whether xllamacpp, the engine itself, can be imported."""
    return find_spec("xllamacpp") is not None


def embedded_command(python: Sequence[str] = (sys.executable, "-P")) -> list[str]:
    """The command that behaves like `llama-server`; its arguments are to follow.

    Args:
        python: what starts this Python. With -P, so that no file in the current directory can pass
            for one of our modules.
    """
    return [*python, "-m", "llama_mcp.embedded.llama_server"]
