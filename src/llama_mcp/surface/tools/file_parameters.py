"""What a caller names by path, read and checked before a turn is asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
from mcp.server.session import ServerSession

from llama_mcp.services import Services
from llama_mcp.sessions.attachments import Attachment, SaveTo
from llama_mcp.surface.client_folders import ClientFolders

if TYPE_CHECKING:
    from llama_mcp.files.border import FileBorder


@dataclass(frozen=True, slots=True)
class FilesOfCall:
    """What a call has to do with files."""

    sent: tuple[Attachment, ...] = ()
    notes: tuple[str, ...] = ()
    """What its caller should know of what is sent."""
    save_to: SaveTo | None = None


async def files_of_call(
    services: Services,
    client_folders: ClientFolders,
    session: ServerSession,
    files: Sequence[str],
    save_to: str,
    *,
    overwrite: bool,
) -> FilesOfCall:
    """Read the files that a call names, and see to the place for its result.

    Raises:
        LlamaMCPError: Why it cannot be; nothing was done then.
    """
    if not files and not save_to:
        return FilesOfCall()
    folders = await client_folders.of(session)
    take = partial(_take, services.file_border, folders, files, save_to, overwrite=overwrite)
    # Abandoned with the call: a folder on a network may hang.
    return await anyio.to_thread.run_sync(take, abandon_on_cancel=True)


def _take(
    border_of: "Callable[[Sequence[Path]], FileBorder]",
    folders: Sequence[Path],
    files: Sequence[str],
    save_to: str,
    *,
    overwrite: bool,
) -> FilesOfCall:
    # Imported when it is first needed, as all rooms.
    from llama_mcp.turns.attaching import place_to_save, take_files

    border = border_of(folders)
    place = place_to_save(save_to, border, overwrite=overwrite) if save_to else None
    taken = take_files(files, border)
    return FilesOfCall(taken.files, taken.notes, place)
