"""The key of an engine, from a file that is read again when it has changed.

A key is sent to its engine and goes nowhere else: no error, log or text of ours has any of it.
"""

from pathlib import Path

from llama_mcp.llama_server.remote.errors import KeyFileError

# A key has some dozen characters, a signed token a few thousand.
MAX_BYTES = 64 * 1024
HIDDEN = "[key]"


class KeyFile:
    """A file that holds one key and nothing else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark: tuple[int, int, int] | None = None
        self._key = ""

    @property
    def last(self) -> str:
        """The key as it was read last; empty before."""
        return self._key

    def read(self) -> str:
        """Return the key; it looks at a disk, and reads what has changed since the last look.

        Raises:
            KeyFileError: there is no such file, it cannot be read, or it holds no key.
        """
        try:
            status = self.path.stat()
            mark = (status.st_mtime_ns, status.st_size, status.st_ino)
            if mark != self._mark:
                self._key = self._read_anew()
                self._mark = mark
        except OSError as error:
            raise KeyFileError(str(self.path), _problem(error)) from None
        return self._key

    def _read_anew(self) -> str:
        if not self.path.is_file():  # whoever reads from a pipe waits for its writer
            raise KeyFileError(str(self.path), "it is no regular file")
        with self.path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise KeyFileError(str(self.path), f"it has more than {MAX_BYTES:,} bytes")
        key = content.decode("utf-8-sig", "replace").strip()
        if not key:
            raise KeyFileError(str(self.path), "it is empty")
        if not (key.isascii() and key.isprintable()) or " " in key:
            wanted = "it does not hold one key on one line, of ASCII characters without spaces"
            raise KeyFileError(str(self.path), wanted)
        return key


def without_key(text: str, key: str | None) -> str:
    """Return a text of the engine's without the key, which some repeat when they refuse it."""
    return text.replace(key, HIDDEN) if key else text


def _problem(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "the user of llama-mcp may not read it"
    return error.strerror or type(error).__name__
