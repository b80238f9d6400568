"""Starting the program that reads a document, and taking its text as it comes."""

import codecs
import hashlib
import subprocess
from collections.abc import Generator
from importlib.util import find_spec
from threading import Timer
from typing import IO, BinaryIO

from llama_mcp.files.documents.limits import (
    MAX_DOCUMENT_BYTES,
    MAX_SECONDS,
    PROGRAM,
    UNREADABLE,
)
from llama_mcp.files.errors import (
    DocumentsMissingError,
    DocumentUnreadableError,
    FileTooLargeError,
)
from llama_mcp.keeper import spawning
from llama_mcp.settings import inherited_environment

_CHUNK_BYTES = 65_536
# The libraries of the extra `documents`, by what they read; the rest is read without any.
HTML = "html"
_LIBRARIES: dict[str, tuple[str, ...]] = {
    "pdf": ("pypdf",),
    "docx": ("mammoth", "bs4"),
    "xlsx": ("openpyxl",),
    HTML: ("bs4",),
    "epub": ("bs4",),
    "rtf": ("striprtf",),
}


def is_installed(kind: str) -> bool:
    """Tell whether what reads this kind of document is there."""
    return all(find_spec(library) is not None for library in _LIBRARIES.get(kind, ()))


def check_installed(name: str, kind: str, what: str) -> None:
    """Raise DocumentsMissingError when the extra that reads this kind is not installed.

    A page of HTML is never refused: it is a text, too.
    """
    if kind != HTML and not is_installed(kind):
        raise DocumentsMissingError(name, what)


class DocumentSource:
    """The text of an opened document; a `TextSource`."""

    encoding = "utf-8"
    notes: tuple[str, ...] = ()

    def __init__(self, file: BinaryIO, name: str, kind: str, size_bytes: int) -> None:
        """Take an opened file, which stays open until all its text came.

        Raises:
            FileTooLargeError: nobody waits for so large a document.
        """
        if size_bytes > MAX_DOCUMENT_BYTES:
            raise FileTooLargeError(name, size_bytes, MAX_DOCUMENT_BYTES)
        self._file, self._name, self._kind = file, name, kind
        self.size_bytes = size_bytes
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
        self.sha256 = digest.hexdigest()
        file.seek(0)

    def texts(self) -> Generator[str, None, None]:
        """Yield the text as the program gives it.

        Raises:
            DocumentUnreadableError: it is damaged, locked, holds no text or takes too long.
        """
        inherited = inherited_environment()
        program = subprocess.Popen(
            [*spawning.program_command(PROGRAM), self._kind],
            stdin=self._file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=spawning.python_environment(inherited, inherited),
            creationflags=spawning.CREATION_FLAGS,
        )
        clock = Timer(MAX_SECONDS, program.kill)
        clock.daemon = True
        clock.start()
        try:
            assert program.stdout is not None and program.stderr is not None
            yield from _decoded(program.stdout)
            problem = program.stderr.read(2000).decode("utf-8", "replace")
            code = program.wait()
        finally:
            clock.cancel()
            program.kill()
            with program:  # closes its pipes and reaps it
                pass
        if code:
            raise DocumentUnreadableError(self._name, _why(code, problem), "Name another file.")


def _decoded(stream: IO[bytes]) -> Generator[str, None, None]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while chunk := stream.read1(_CHUNK_BYTES):  # type: ignore[attr-defined]  # a BufferedReader
        yield decoder.decode(chunk).replace("\r\n", "\n").replace("\0", "")
    yield decoder.decode(b"", True)


def _why(code: int, problem: str) -> str:
    if code == UNREADABLE and problem:
        return problem
    return "reading it takes too long or too much memory" if code < 0 else "it could not be read"
