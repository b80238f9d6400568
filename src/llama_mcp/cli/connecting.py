"""`llama-mcp connect`, for arguments that connect/command_line.py leaves to argparse."""

from argparse import ArgumentParser, Namespace

from llama_mcp.connect.command_line import INSECURE, TOKEN_FILE, connect


def configure(parser: ArgumentParser) -> None:
    """Add what it takes."""
    parser.description = (
        "Serve MCP over stdin and stdout by a llama-mcp that serves HTTP elsewhere: for clients "
        "that cannot send a token themselves, such as Claude Desktop."
    )
    parser.epilog = (
        "examples:\n"
        "  llama-mcp connect https://box.example.org --token-file ~/.config/llama-mcp/token\n"
        "  LLAMA_MCP_TOKEN=... llama-mcp connect http://127.0.0.1:8765"
    )
    parser.add_argument("url", metavar="URL", help="where it serves; without a path /mcp is added")
    parser.add_argument(
        TOKEN_FILE,
        metavar="FILE",
        help="file with the token, which only its owner can read; else LLAMA_MCP_TOKEN is sent",
    )
    parser.add_argument(
        INSECURE,
        action="store_true",
        help="take http:// beyond this machine, where the way itself is encrypted",
    )


def run(arguments: Namespace) -> int:
    """Run the bridge until the client leaves."""
    return connect(arguments.url, arguments.token_file, is_insecure=arguments.insecure)
