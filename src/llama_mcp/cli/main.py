"""The command line: `llama-mcp` serves MCP over stdio; `llama-mcp demo` shows what it does.

What this file imports is what the first answer waits for, so each command imports what it needs.
"""

import gc
import sys

from llama_mcp.early.answering import answer_until_wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# What clients start us with: it says by itself which command it is.
_AS_CLIENTS_DO: tuple[list[str], ...] = ([], ["serve"])


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run the command that argv names and return its exit code."""
    given = sys.argv[1:] if argv is None else list(argv)
    if given not in _AS_CLIENTS_DO and _command_in(given) == "demo":
        return _demo()
    meanwhile = answer_until_wanted(_complete_list)
    if meanwhile is None:
        return 0
    meanwhile.begin()
    # Start-up allocates a lot and frees little, so garbage collection is off until serve_stdio.
    gc.disable()
    from llama_mcp.cli.serve import serve

    return serve(meanwhile.end)


def _complete_list(listed: str) -> tuple[str, object] | None:
    from llama_mcp.surface.resources.early_list import complete_list

    return complete_list(listed)


def _demo() -> int:
    from llama_mcp.cli.demo import run_demo
    from llama_mcp.cli.serve import settle

    settle()
    return run_demo()


def _command_in(argv: "Sequence[str]") -> str:
    """Return the command of the arguments; wrong ones and --help end the process."""
    import argparse
    from importlib.metadata import version

    parser = argparse.ArgumentParser(
        prog="llama-mcp",
        description="An MCP server that gives AI assistants a local model through llama.cpp.",
        epilog="Without a command it serves MCP over stdin and stdout, as a client starts it. "
        "Settings are environment variables that begin with LLAMA_MCP_; see docs/settings.md.",
    )
    parser.add_argument("--version", action="version", version=f"llama-mcp {version('llama-mcp')}")
    parser.add_argument(
        "command",
        nargs="?",
        choices=["serve", "demo"],
        default="serve",
        help="serve (the default), or demo: start the embedded engine with the starter model, "
        "chat, stop",
    )
    command: str = parser.parse_args(argv).command
    return command
