"""`llama-mcp serve --http`: one process for many people, each with a token."""

import gc
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path

from llama_mcp.cli.failures import WRONG_ARGUMENTS

GRACE_SECONDS = 8.0
MAX_GRACE_SECONDS = 3600.0
_EXAMPLES = """examples:
  llama-mcp serve
  llama-mcp tokens add ann --tokens tokens.toml
  llama-mcp serve --http 127.0.0.1:8765 --tokens tokens.toml
  llama-mcp serve --http 127.0.0.1:8765 --tokens tokens.toml --hosts llm.example.org"""


def configure(parser: ArgumentParser) -> None:
    """Say what it serves, and to whom."""
    parser.description = (
        "Serve MCP over stdin and stdout, or, with --http, over HTTP to everybody who has a token; "
        "docs/http.md says how a team does that."
    )
    parser.epilog = _EXAMPLES
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.add_argument("--http", metavar="HOST:PORT", help="where to listen; port 0 is any free")
    parser.add_argument("--tokens", metavar="FILE", type=Path, help="who may call, with what")
    parser.add_argument(
        "--hosts", metavar="NAME,...", default="", help="names by which a proxy is called"
    )
    parser.add_argument("--audit", metavar="FILE", type=Path, help="note each call there")
    parser.add_argument(
        "--grace",
        metavar="SECONDS",
        type=_seconds,
        default=GRACE_SECONDS,
        help=f"how long replies may go on at the end ({GRACE_SECONDS:g})",
    )


def run(arguments: Namespace) -> int:
    """Serve; return the exit code."""
    if arguments.http is None:
        print("llama-mcp serve: these options go with --http HOST:PORT", file=sys.stderr)
        return WRONG_ARGUMENTS
    if arguments.tokens is None:
        print(
            "llama-mcp serve: nobody is served over HTTP without a token, not even on this "
            "machine. Make one with `llama-mcp tokens add NAME --scope admin --tokens FILE`, and "
            "give --tokens FILE.",
            file=sys.stderr,
        )
        return WRONG_ARGUMENTS
    gc.disable()  # until what start-up makes is there for good
    from llama_mcp.cli.serve import serve_over_http

    return serve_over_http(
        at=arguments.http,
        tokens=arguments.tokens.expanduser().absolute(),
        hosts=arguments.hosts.split(","),
        audit=arguments.audit and arguments.audit.expanduser().absolute(),
        grace_seconds=arguments.grace,
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= MAX_GRACE_SECONDS:
        raise ValueError(text)
    return seconds
