"""The dashboard's page over HTTP, for the person whose machine this is: a route, a key, a door.

The page holds nothing; what it shows it asks for with the key. The key stands in the fragment of
the address, which no server and no log sees.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from llama_mcp.callers import LOCAL, Caller
from llama_mcp.dashboard.assemble import browser_page, content_security_policy

PATH = "/"
KEY_BYTES = 32
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_DOOR = (
    '<!doctype html><meta charset="utf-8"><title>llama-mcp</title>'
    '<meta http-equiv="refresh" content="0;url={url}">'
)


class OneKey:
    """The key of one page: whoever has it is the person whose machine this is."""

    def __init__(self) -> None:
        self.text = secrets.token_urlsafe(KEY_BYTES)
        self._digest = hashlib.sha256(self.text.encode()).digest()

    def caller_of(self, token: str) -> tuple[Caller, bytes] | None:
        """Return who has that token, and by what it is known."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        return (LOCAL, digest) if hmac.compare_digest(digest, self._digest) else None

    async def watch(self, _end_tokens: Callable[[frozenset[bytes]], object]) -> None:
        """Return: it is good for as long as the process lives."""


def page_route() -> Route:
    """Return the route of the page, which needs no key."""
    return Route(PATH, _show, methods=["GET"])


async def _show(_: Request) -> Response:
    policy = {"content-security-policy": content_security_policy()}
    return HTMLResponse(browser_page(), headers=HEADERS | policy)


def address_of(url: str, key: OneKey) -> str:
    """Return the address that shows the page with its key."""
    return f"{url}{PATH}#key={key.text}"


@contextmanager
def door_to(address: str, folder: Path) -> Iterator[str]:
    """Give the address of a file of ours alone that leads there, while the context lasts.

    A browser is told its address on a command line, which everybody on the machine can read.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    door = folder / f"dashboard-{os.getpid()}-{secrets.token_hex(4)}.html"
    with os.fdopen(os.open(door, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(_DOOR.format(url=address))
    try:
        yield door.as_uri()
    finally:
        with suppress(OSError):
            door.unlink()
