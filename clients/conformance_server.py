"""Serves llama-mcp over HTTP as `serve --http` does, with the conformance suite's fixtures over it.

    python -m clients.conformance_server

Gate, token, middleware and end are those of `serve --http`. The suite cannot send a token, so that
is laid into each request before the gate. The URL is the only line on stdout; the program serves
until it is ended.
"""

import logging
import tempfile
from pathlib import Path

import anyio
from starlette.types import Receive, Scope, Send

from clients.conformance_fixtures import lay_over
from llama_mcp.reading_settings import read_settings
from llama_mcp.settings import inherited_environment
from llama_mcp.surface.http.address import Address, Hosts, listening_at
from llama_mcp.surface.http.app import HttpApp
from llama_mcp.surface.http.serving import serve_http
from llama_mcp.surface.server import build_server
from llama_mcp.tokens.known_tokens import KnownTokens
from llama_mcp.tokens.writing import add_token

ADDRESS = Address("127.0.0.1", 0)
GRACE_SECONDS = 1.0


class HttpAppWithToken(HttpApp):
    """Takes each request for one that has brought the token."""

    token = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            given = (b"authorization", f"Bearer {self.token}".encode())
            scope["headers"] = [*scope["headers"], given]
        await super().__call__(scope, receive, send)


def main() -> None:
    """Serve."""
    # Some fixtures fail on purpose; what is wrong the suite says itself.
    logging.basicConfig(level=logging.CRITICAL)
    server = build_server(read_settings(inherited_environment()))
    lay_over(server)
    with tempfile.TemporaryDirectory() as folder, listening_at(ADDRESS) as bound:
        tokens = Path(folder) / "tokens.toml"
        token = add_token(tokens, "suite", "admin")
        known = KnownTokens(tokens)
        app = HttpAppWithToken(server, known.caller_of, Hosts(ADDRESS))
        app.token = token
        print(f"http://127.0.0.1:{bound.getsockname()[1]}/mcp", flush=True)
        anyio.run(serve_http, app, server, bound, known, GRACE_SECONDS)


if __name__ == "__main__":
    main()
