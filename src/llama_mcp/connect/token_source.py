"""Whose token the bridge sends: that of a file, read again when it changes, or of a variable.

Never an argument: what stands on a command line every user of the machine can read.
"""

import os
import stat
import sys

from llama_mcp.connect.failures import BridgeError

VARIABLE = "LLAMA_MCP_TOKEN"
_MOST_BYTES = 4096


class TokenSource:
    """Gives the token as it is now."""

    def __init__(self, path: str | None, variable: str | None) -> None:
        """Take where the token is: a file, else the value of the variable, else nowhere."""
        self._path = path
        self._variable = None if path else variable
        self._known: tuple[object, str] | None = None

    @property
    def given_by(self) -> str:
        """Where the token is from, in words; empty when there is none."""
        if self._path:
            return f"the file {self._path}"
        return f"the variable {VARIABLE}" if self._variable else ""

    def read(self) -> str | None:
        """Return the token; None when none was given.

        Raises:
            BridgeError: It cannot be read, others can read it too, or it is no token.
        """
        if self._path:
            return self._of_file(self._path)
        return self._checked(self._variable) if self._variable else None

    def _of_file(self, path: str) -> str:
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                mark = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode)
                if self._known is None or self._known[0] != mark:
                    self._check_mode(path, status.st_mode)
                    text = file.read(_MOST_BYTES + 1).decode("ascii", "replace")
                    self._known = (mark, self._checked(text))
        except OSError as error:
            raise BridgeError(
                f"The token file {path} cannot be read ({error.strerror}). Nothing was sent; it is "
                "read again at the next call."
            ) from error
        return self._known[1]

    def _check_mode(self, path: str, mode: int) -> None:
        if sys.platform != "win32" and stat.S_IMODE(mode) & 0o077:
            raise BridgeError(
                f"Others can read the token file {path}, so it was not used, and nothing was sent. "
                f"Run `chmod 600 {path}`, and call again."
            )

    def _checked(self, text: str) -> str:
        token = text.strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise BridgeError(
                f"There is no token in {self.given_by}: one word of printable ASCII. Nothing was "
                "sent."
            )
        if len(token) > _MOST_BYTES:
            raise BridgeError(f"What stands in {self.given_by} is too long for a token.")
        return token
