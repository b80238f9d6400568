"""The command line: `llama-mcp` serves MCP over stdio; `llama-mcp demo` shows what it does."""

import argparse
import gc
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from pydantic import ValidationError

from llama_mcp.settings import Settings, describe_invalid

BAD_SETTINGS_EXIT_CODE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that argv names and return its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        settings = Settings()
    except ValidationError as error:
        print(f"llama-mcp: a setting is wrong.\n{describe_invalid(error)}", file=sys.stderr)
        return BAD_SETTINGS_EXIT_CODE
    logging.basicConfig(
        stream=sys.stderr,
        level=settings.log_level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    # At INFO it writes the text of every refused call, which may quote a conversation.
    logging.getLogger("mcp.server.mcpserver.server").setLevel(logging.WARNING)
    if arguments.command == "demo":
        from llama_mcp.cli.demo import run_demo

        return run_demo()
    return _serve(settings)


def _serve(settings: Settings) -> int:
    # Start-up allocates a lot and frees little, so garbage collection is off until serve_stdio.
    gc.disable()

    import anyio

    # Archive, logs, locks and sockets: nothing that we write is for other users.
    os.umask(0o077)

    from llama_mcp.surface.server import build_server
    from llama_mcp.surface.stdio.serving import serve_stdio

    server = build_server(settings)
    anyio.run(serve_stdio, server, server.announce_shutdown)
    return 0


def _parser() -> argparse.ArgumentParser:
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
    return parser
