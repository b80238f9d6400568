"""The command line: `llama-mcp` serves MCP over stdio; with a command it does what a person asks.

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
    """Serve, or run the command that argv names; return the exit code."""
    given = sys.argv[1:] if argv is None else list(argv)
    if given[:1] == ["connect"]:
        # Clients start this one too.
        from llama_mcp.connect.command_line import connect_at_once

        if (exit_code := connect_at_once(given[1:])) is not None:
            return exit_code
    if given not in _AS_CLIENTS_DO:
        from llama_mcp.cli.commands import run_command

        return run_command(given)
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
