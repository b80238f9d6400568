"""Why a file that a caller named is not read or written.

Attributes of every kind:
    name: the file, as it is shown to caller and model.
    why: the reason, a short clause; with the name it makes a `LeftOut`.
"""

from collections.abc import Sequence

from llama_mcp.errors import LlamaMCPError
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import shortened

MAX_SHOWN_NAME = 200
MAX_SHOWN_NEAREST = 5
DOCUMENTS_COMMAND = 'pip install "llama-mcp[documents]"'


def shown(name: object) -> str:
    """Return a name or path as one line that any text can hold."""
    text = str(name).encode("utf-8", "backslashreplace").decode()
    return shortened(visible_line(text).replace("\t", "\\t"), MAX_SHOWN_NAME)


class FileRefusedError(LlamaMCPError):
    """A file that is not taken."""

    verb = "read"

    def __init__(self, name: object, why: str, advice: str = "") -> None:
        self.name = shown(name)
        self.why = why
        super().__init__(f"{self.name} cannot be {self.verb}: {why}. {advice}".rstrip())


class FileMissingError(FileRefusedError):
    """Nothing is there."""

    def __init__(self, name: object, folder: object, nearest: Sequence[str] = ()) -> None:
        names = ", ".join(map(shown, nearest[:MAX_SHOWN_NEAREST]))
        advice = f"Nearest names there: {names}." if names else "Check the path."
        super().__init__(name, f"there is no such file (looked for in {shown(folder)})", advice)


class NothingFoundError(FileRefusedError):
    """A pattern or a folder that gives no file."""

    def __init__(self, name: object, why: str) -> None:
        super().__init__(name, why, "Pass another pattern, or the paths themselves.")


class BadNameError(FileRefusedError):
    """A text that cannot name a file here."""

    verb = "used"  # for reading and for writing alike


class OutsideBorderError(FileRefusedError):
    """A file outside the folders that may be read or written, whether it is there or not."""

    verb = "used"  # for reading and for writing alike

    def __init__(self, name: object, folders: Sequence[object], setting: str) -> None:
        inside = ", ".join(map(shown, folders))
        super().__init__(
            name,
            "it lies outside the folders that are open to callers",
            f"Open are: {inside}. Only the operator can open more, by {setting}.",
        )


class NoFoldersError(LlamaMCPError):
    """No folder is open at all."""

    def __init__(self, why: str, setting: str) -> None:
        by = (
            f"setting {setting} to them, in the environment of llama-mcp, and starting llama-mcp "
            "again."
        )
        super().__init__(
            f"No file can be {'written' if 'save' in setting.lower() else 'read'}, because {why}. "
            "Only the operator can open folders: by "
            + (by if setting.isupper() else f"{setting}, in the file of tokens.")
        )


class SecretFileError(FileRefusedError):
    """A file whose name says that it holds secrets."""

    verb = "used"  # for reading and for writing alike

    def __init__(self, name: object, pattern: str) -> None:
        super().__init__(
            name,
            f"files of such names hold secrets ({pattern})",
            "Name another file; only the operator can change which names are secret, by "
            "LLAMA_MCP_SECRET_FILES.",
        )


class NotAFileError(FileRefusedError):
    """A device, a FIFO, a socket, a file of the kernel, or a folder where a file belongs."""

    verb = "used"  # for reading and for writing alike

    def __init__(self, name: object, what: str, advice: str = "Name an ordinary file.") -> None:
        super().__init__(name, f"it is {what}", advice)


class UnreadableFileError(FileRefusedError):
    """The system does not let it be read, or it changed while it was looked at."""


def unreadable(name: object, error: OSError) -> UnreadableFileError:
    """Return the refusal that a failure of the system makes."""
    if isinstance(error, PermissionError):
        return UnreadableFileError(
            name, "the user of llama-mcp may not read it", "Ask the user to change that."
        )
    reason = error.strerror or str(error)
    return UnreadableFileError(
        name, f"the system refuses it ({reason})", "It may have changed just now: look again."
    )


class BinaryFileError(FileRefusedError):
    """A file that holds no text and is no picture."""

    def __init__(self, name: object, what: str) -> None:
        super().__init__(name, f"it is {what}, not text", "Name a text file.")


class PictureUnusableError(FileRefusedError):
    """A picture that llama-server cannot decode."""


class FileTooLargeError(FileRefusedError):
    """More than the caller of `read_text` takes.

    Attributes:
        size_bytes: how much it is, at least.
        max_bytes: how much may be read.
    """

    def __init__(self, name: object, size_bytes: int, max_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.max_bytes = max_bytes
        super().__init__(
            name,
            f"it has {size_bytes:,} bytes, and at most {max_bytes:,} are taken here",
            "Name a part of it by lines, such as path:1-200.",
        )


class DocumentsMissingError(FileRefusedError):
    """A document whose text only an extra can read."""

    def __init__(self, name: object, what: str) -> None:
        super().__init__(
            name,
            f"{what} is read by an extra that is not installed",
            f"Ask the user to run {DOCUMENTS_COMMAND} where llama-mcp is installed, and to start "
            "it again.",
        )


class DocumentUnreadableError(FileRefusedError):
    """A document that is damaged, locked, empty of text or takes too long."""


class TooManyFilesError(LlamaMCPError):
    """More files than one call takes."""

    def __init__(self, count: int, most: int, *, is_whole: bool) -> None:
        self.count = count
        what = f"{count:,} files" if is_whole else f"more than {most:,} files and folders"
        rule = f", and one call takes at most {most:,}" if is_whole else " to look at"
        super().__init__(
            f"The names given mean {what}{rule}. Name fewer, by a narrower pattern such as "
            "src/**/*.py."
        )


class SaveRefusedError(FileRefusedError):
    """A place where nothing is written."""

    verb = "written"


class SaveExistsError(SaveRefusedError):
    """A file that is there, and that the caller did not ask to replace."""

    def __init__(self, name: object) -> None:
        super().__init__(
            name, "there is such a file", "Pass overwrite=true to replace it, or another name."
        )
