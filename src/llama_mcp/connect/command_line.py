"""What `llama-mcp connect` was given, without argparse: clients start it, and wait for it."""

import os
import sys

from llama_mcp.connect.target import Target, WrongURLError, target_of
from llama_mcp.connect.token_source import VARIABLE, TokenSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

TOKEN_FILE = "--token-file"
INSECURE = "--insecure"
WRONG_ARGUMENTS = 2


def connect_at_once(arguments: "Sequence[str]") -> int | None:
    """Run the bridge if the arguments are plain; None when somebody else has to read them."""
    url: str | None = None
    token_file: str | None = None
    is_insecure = False
    left = list(arguments)
    while left:
        argument = left.pop(0)
        if argument == INSECURE:
            is_insecure = True
        elif argument == TOKEN_FILE and left and not left[0].startswith("-"):
            token_file = left.pop(0)
        elif argument.startswith("-") or url is not None:
            return None
        else:
            url = argument
    return None if url is None else connect(url, token_file, is_insecure=is_insecure)


def connect(url: str, token_file: str | None, *, is_insecure: bool) -> int:
    """Run the bridge; return the exit code if it cannot begin."""
    try:
        target = target_of(url, is_insecure_allowed=is_insecure)
    except WrongURLError as error:
        print(f"llama-mcp connect: {url} cannot be used. {error}", file=sys.stderr)
        return WRONG_ARGUMENTS
    return _run(target, TokenSource(token_file, os.environ.get(VARIABLE)))


def _run(target: Target, token: TokenSource) -> int:
    from llama_mcp.connect.bridge import run_bridge

    run_bridge(target, token)
