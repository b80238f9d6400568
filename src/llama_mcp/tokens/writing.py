"""Entries put into a file of tokens and taken out; every other line of it stays as it is."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.tokens.entry import digest_of, new_token
from llama_mcp.tokens.errors import TokenNameError
from llama_mcp.tokens.parsing import MAX_BYTES, is_name, parsed
from llama_mcp.tokens.reading import content_of
from llama_mcp.toml_lines import decoded, document_of, line_of

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def add_token(file: Path, name: str, scope: str, more: Sequence[str] = ()) -> str:
    """Append an entry with a new token to the file, which is made if need be; return the token.

    Args:
        file: its absolute path.
        name: of the entry.
        scope: the name of a scope.
        more: further lines of the entry, as they stand in the file.

    Raises:
        InvalidArgumentError: nobody can have that name.
        TokenNameError: there is an entry of that name.
        TokensFileError: the file cannot be read, or is wrong, or would be.
        OpenTokensFileError: as `read_tokens`.
    """
    if not is_name(name):
        raise InvalidArgumentError(
            "NAME", f"cannot be {name!r}", "It has up to 64 letters, digits, and . _ @ -."
        )
    before = content_of(file) if os.path.lexists(file) else b""
    known = [entry.caller.owner for entry in parsed(before, file)]
    if name.lower() in map(str.lower, known):
        raise TokenNameError(name, file, "has an entry already", known)
    token = new_token()
    lines = [f'["{name}"]', f'sha256 = "{digest_of(token).hex()}"', f'scope = "{scope}"', *more]
    gap = b"" if not before else b"\n" if before.endswith(b"\n") else b"\n\n"
    content = before + gap + "\n".join(lines).encode() + b"\n"
    parsed(content, file)
    _write(file, content)
    return token


def remove_token(file: Path, name: str) -> None:
    """Take an entry out of the file.

    Raises:
        TokenNameError: there is none of that name.
        TokensFileError, OpenTokensFileError: as `read_tokens`.
    """
    content = content_of(file)
    known = [entry.caller.owner for entry in parsed(content, file)]
    if name not in known:
        raise TokenNameError(name, file, "has no entry", known)
    text = decoded(content, MAX_BYTES)
    lines = text.split("\n")
    starts = sorted(line_of(text, (each,)) - 1 for each in document_of(text))
    start = line_of(text, (name,)) - 1
    end = next((line for line in starts if line > start), len(lines))
    if end < len(lines):  # what stands above an entry is about that one
        while end > start + 1 and (not lines[end - 1] or lines[end - 1].startswith("#")):
            end -= 1
    while end < len(lines) and not lines[end] and start and not lines[start - 1]:
        end += 1  # no two blank lines where one was
    left = "\n".join([*lines[:start], *lines[end:]]).encode()
    parsed(left, file)
    _write(file, left)


def _write(file: Path, content: bytes) -> None:
    """Write the file whole, for its owner only, and rename it into place."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        with open(os.open(temporary, _FLAGS, 0o600), "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(temporary, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
