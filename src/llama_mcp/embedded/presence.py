"""Whether the embedded engine is installed, and the module that it is."""

import sys
from importlib.util import find_spec

# The program that behaves like `llama-server`.
MODULE = "llama_mcp.embedded.llama_server"
# What the extra `engine` in pyproject.toml names. Double quotes quote in every shell.
INSTALL_COMMAND = 'pip install "xllamacpp>=2026.10"'
if sys.platform == "win32":
    INSTALL_COMMAND += " msvc-runtime"


def embedded_engine_installed() -> bool:
    """Whether xllamacpp, the engine itself, can be imported."""
    return find_spec("xllamacpp") is not None
