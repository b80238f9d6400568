"""Serves our own server object over HTTP, with the conformance suite's fixtures laid over it.

    python -m clients.conformance_server

llama-mcp itself speaks stdio only; the suite speaks HTTP only. So the object that `build_server`
gives is served by the SDK's HTTP transport here, on a free port of 127.0.0.1. The URL is the only
line on stdout; the program serves until it is ended.
"""

import logging
import socket

import uvicorn

from clients.conformance_fixtures import lay_over
from llama_mcp.reading_settings import read_settings
from llama_mcp.settings import inherited_environment
from llama_mcp.surface.server import build_server


def main() -> None:
    """Serve."""
    # Some fixtures fail on purpose; what is wrong the suite says itself.
    logging.basicConfig(level=logging.CRITICAL)
    server = build_server(read_settings(inherited_environment()))
    lay_over(server)
    # h11 cuts the blanks around a header's value, as RFC 9110 asks; httptools, which uvicorn
    # prefers where it is installed, does not.
    config = uvicorn.Config(server.streamable_http_app(), http="h11", log_config=None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
