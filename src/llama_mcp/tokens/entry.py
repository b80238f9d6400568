"""One entry of a file of tokens, and what a token is."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from llama_mcp.callers import Caller

# 256 bits: nobody guesses it, so a plain hash protects it (no dictionary has it).
_TOKEN_BYTES = 32
# A header can be of any length; no token of ours is longer.
MAX_TOKEN_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """A person, or a program, and the hashes of its tokens."""

    caller: Caller
    digests: tuple[bytes, ...]
    """SHA-256 of each token; several while one takes the place of another."""


def new_token() -> str:
    """Return a token that was never given to anybody."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def digest_of(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


def entry_of(digest: bytes, entries: Iterable[TokenEntry]) -> TokenEntry | None:
    """Return whose token it is; how long that takes says nothing of the entries' tokens."""
    found = None
    for entry in entries:
        for known in entry.digests:
            if hmac.compare_digest(known, digest):
                found = entry
    return found
