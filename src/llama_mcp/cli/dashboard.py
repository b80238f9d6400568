"""`llama-mcp dashboard`: the page in the browser, served on this machine until Ctrl-C."""

import gc
import threading
import webbrowser
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from contextlib import ExitStack, suppress

from llama_mcp.cli.display.numbers import whole_number
from llama_mcp.cli.terminal import Terminal
from llama_mcp.settings import inherited_environment

MOST_PORTS = 65535
_EXAMPLES = """examples:
  llama-mcp dashboard
  llama-mcp dashboard --no-browser --port 8090"""


def configure(parser: ArgumentParser) -> None:
    """Say where it is, and whether a browser opens."""
    parser.description = (
        "Show in the browser what llama-mcp and llama-server do, on this machine only; the address "
        "holds a key, so do not pass it on. Ctrl-C ends it."
    )
    parser.epilog = _EXAMPLES
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.add_argument(
        "--port",
        type=whole_number(MOST_PORTS),
        default=0,
        help="where to listen; by default any free port",
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address")


def run(arguments: Namespace) -> int:
    """Serve the page until we are asked to end; return the exit code."""
    gc.disable()  # until what start-up makes is there for good
    from llama_mcp.cli.serve import settle_to_serve

    settings = settle_to_serve()

    import anyio

    from llama_mcp.surface.http.address import Address, Hosts, listening_at
    from llama_mcp.surface.http.app import HttpApp
    from llama_mcp.surface.http.page import OneKey, address_of, door_to, page_route
    from llama_mcp.surface.http.serving import serve_http
    from llama_mcp.surface.server import build_server

    terminal = Terminal(inherited_environment())
    address, key = Address("127.0.0.1", arguments.port), OneKey()
    with ExitStack() as stack:
        bound = stack.enter_context(listening_at(address))
        server = build_server(settings)
        app = HttpApp(server, key.caller_of, Hosts(address), routes=[page_route()])
        shown_at = address_of(f"http://{address.with_port(bound.getsockname()[1])}", key)
        # At once, also into a pipe: whoever started us waits for it.
        terminal.write(f"{shown_at}\n")
        on_serving: Callable[[], object] | None = None
        if not arguments.no_browser:
            door = stack.enter_context(door_to(shown_at, settings.state_dir))
            # A browser in a terminal, such as w3m, stays until it is left.
            on_serving = threading.Thread(target=_open, args=(door,), daemon=True).start
        anyio.run(serve_http, app, server, bound, key, 0.0, on_serving)
    return 0


def _open(address: str) -> None:
    # Without a browser the address is there to be copied.
    with suppress(OSError, webbrowser.Error):
        webbrowser.open(address)
