"""A reply that goes to a file, written when it is whole.

The place was checked when the turn was asked for, by the process that was asked. Another one may
end the turn: it needs what the archive has of the place, and nothing of that process's client.
"""

from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.files.border import FileBorder
from llama_mcp.files.errors import SaveExistsError
from llama_mcp.files.naming.secrets import SecretPatterns
from llama_mcp.files.saving import SavePlace
from llama_mcp.sessions.attachments import SaveTo
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.sessions.texts import clean_text


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the file of a reply."""

    size_bytes: int | None = None
    """How large it is; None when it was not written."""
    notes: tuple[str, ...] = ()
    """Why it was not."""


async def write_out(save_to: SaveTo | None, reply: str, status: TurnStatus) -> Written:
    """Write a complete reply to its file; a failure becomes a note, as the archive has the reply.

    Args:
        save_to: The file; None when the reply goes to none.
        reply: The reply.
        status: How it ended.
    """
    if save_to is None:
        return Written()
    if status is not TurnStatus.COMPLETE:
        why = f"the reply is {status.value}, not complete."
        return Written(notes=(f"Nothing was written to {save_to.path}: {why}",))
    if not reply.strip():
        return Written(notes=(f"Nothing was written to {save_to.path}: the reply is empty.",))
    try:
        return Written(await anyio.to_thread.run_sync(_write, save_to, clean_text(reply)))
    except (LlamaMCPError, OSError) as error:
        return Written(notes=(f"The session has the reply, and no file does. {error}",))


def _write(save_to: SaveTo, reply: str) -> int:
    """Write the reply and return the size of its file in bytes."""
    path, folder = Path(save_to.path), Path(save_to.folder)
    # What the path is called was judged when it was asked for; where it leads may have changed.
    border = FileBorder((), (folder,), folder, SecretPatterns(()))
    try:
        place = SavePlace(save_to.path, path, border, save_to.overwrite)
        return place.write(reply).size_bytes
    except SaveExistsError:
        data = reply.encode()
        if not _has(path, data):
            raise
        return len(data)


def _has(path: Path, data: bytes) -> bool:
    """Return whether the file has been written already, by a process that was then killed."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False
