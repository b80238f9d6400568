"""A client's file: read as text, and written whole, with what it had kept beside it.

Links are followed, and mode, owner and times of change of others are kept. A file that its client
has changed since it was read is not written over.
"""

import os
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llama_mcp.cli.install.errors import ClientFileError
from llama_mcp.cli.install.forms.editing import place_in

BOM = b"\xef\xbb\xbf"
# Files of settings have kilobytes, Claude Code's own some megabytes.
MAX_BYTES = 64 * 1024 * 1024
_OTHER_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class ChangedMeanwhileError(Exception):
    """Somebody else has written the file since it was read."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What a file was when it was read.

    Attributes:
        path: Where its client looks for it.
        target: Where it lies; a link leads there.
        content: Its bytes; None if it was not there.
    """

    path: Path
    target: Path
    content: bytes | None

    @property
    def text(self) -> str:
        """Its text without a byte order mark, empty if it is not there.

        Raises:
            ClientFileError: it is no UTF-8.
        """
        content = (self.content or b"").removeprefix(BOM)
        for mark, encoding in _OTHER_ENCODINGS.items():
            if content.startswith(mark):
                raise ClientFileError(self.path, f"is {encoding}, and its client reads UTF-8")
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            place = place_in(content[: error.start].decode("utf-8", "replace"), error.start)
            raise ClientFileError(self.path, f"is no UTF-8: {place}") from error

    def with_text(self, text: str) -> bytes:
        """Return the bytes of another text, with the byte order mark if there is one."""
        had_mark = (self.content or b"").startswith(BOM)
        return (BOM if had_mark else b"") + text.encode("utf-8")


def read_file(path: Path) -> ConfigFile:
    """Read a file, wherever links lead.

    Raises:
        ClientFileError: it cannot be read, is no file, or is larger than any settings.
    """
    try:
        target = Path(os.path.realpath(path))
        content = _content_of(target)
    except OSError as error:
        raise ClientFileError(path, f"cannot be read: {error.strerror or error}") from error
    return ConfigFile(path, target, content)


def write_file(read: ConfigFile, content: bytes, *, is_private: bool) -> None:
    """Write the file whole, in the place of what was read.

    Args:
        read: the file as it was read.
        content: what it is to be.
        is_private: whether a new file is for its owner alone.

    Raises:
        ChangedMeanwhileError: the file is not as it was read.
        ClientFileError: it cannot be written; it is as it was.
    """
    _refuse_read_only(read)
    try:
        read.target.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if is_private else 0o777)
        written = _written_beside(read, content, is_private=is_private)
        try:
            if _content_of(read.target) != read.content:
                raise ChangedMeanwhileError
            written.replace(read.target)
        finally:
            written.unlink(missing_ok=True)
    except OSError as error:
        raise ClientFileError(read.path, f"cannot be written: {error.strerror or error}") from error


def delete_file(read: ConfigFile) -> None:
    """Delete a file that is as it was read; raises as `write_file`."""
    _refuse_read_only(read)
    try:
        if _content_of(read.target) != read.content:
            raise ChangedMeanwhileError
        read.target.unlink()
    except OSError as error:
        raise ClientFileError(read.path, f"cannot be deleted: {error.strerror or error}") from error


def _content_of(target: Path) -> bytes | None:
    try:
        # Opening a pipe would wait for whoever writes it.
        if not stat.S_ISREG(target.stat().st_mode):
            raise OSError("it is no ordinary file")
        with target.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(content) > MAX_BYTES:
        raise OSError(f"it is larger than {MAX_BYTES // 2**20} MiB")
    return content


def _refuse_read_only(read: ConfigFile) -> None:
    """Refuse what its owner has closed; renaming would go past that."""
    with suppress(FileNotFoundError):
        mode = read.target.stat().st_mode
        if not mode & stat.S_IWUSR or not os.access(read.target, os.W_OK):
            raise ClientFileError(read.path, "is read-only")


def _written_beside(read: ConfigFile, content: bytes, *, is_private: bool) -> Path:
    """Write the content to a new file in the same folder; it gets the old one's mode and owner."""
    descriptor, name = tempfile.mkstemp(prefix=f".{read.target.name}.", dir=read.target.parent)
    written = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if read.content is not None:
            _like(read.target, written)
        elif not is_private:
            written.chmod(0o666 & ~_umask())
    except BaseException:
        written.unlink(missing_ok=True)
        raise
    return written


def _like(original: Path, copy: Path) -> None:
    """Give a file the mode, attributes and owner of another."""
    shutil.copystat(original, copy)
    os.utime(copy)
    if sys.platform != "win32":
        owner = original.stat()
        # Only the superuser can give a file away; whoever may write it has it then.
        with suppress(PermissionError):
            os.chown(copy, owner.st_uid, owner.st_gid)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
