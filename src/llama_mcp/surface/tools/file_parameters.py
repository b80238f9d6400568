"""What a caller names by path, read and checked before a turn is asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from mcp.server.session import ServerSession

from llama_mcp.services import Services
from llama_mcp.sessions.attachments import Attachment, SaveTo
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.client_folders import ClientFolders
from llama_mcp.turns.errors import FilesTakeLongError

if TYPE_CHECKING:
    from llama_mcp.files.border import FileBorder

# A text of the largest size is read in a second; a document may take minutes.
READ_SECONDS = 20.0
# A thread that a folder hangs goes on when its call is over, and the threads of all others are few.
_READERS = anyio.CapacityLimiter(8)


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
    deadline: float,
    *,
    overwrite: bool,
) -> FilesOfCall:
    """Read the files that a call names, and see to the place for its result.

    Args:
        services: The rooms.
        client_folders: Where clients work.
        session: The client's.
        files: What to read.
        save_to: What to write; empty for nothing.
        deadline: When the call should return, by anyio's clock; reading has READ_SECONDS at least.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        LlamaMCPError: Why it cannot be; nothing was done then.
    """
    if not files and not save_to:
        return FilesOfCall()
    border_of = partial(services.file_border, await client_folders.of(session), current_caller())
    take = partial(_take, border_of, files, save_to, overwrite=overwrite)
    return await in_time(max(READ_SECONDS, deadline - anyio.current_time()), take)


async def in_time(seconds: float, take: Callable[[], FilesOfCall]) -> FilesOfCall:
    """Return what is read in a thread; one that takes longer is abandoned, as with its call.

    Raises:
        FilesTakeLongError: It has taken so long: a document is large, or a folder hangs.
    """
    try:
        with anyio.fail_after(seconds):
            return await anyio.to_thread.run_sync(take, abandon_on_cancel=True, limiter=_READERS)
    except TimeoutError:
        raise FilesTakeLongError(seconds) from None


def _take(
    border_of: "Callable[[], FileBorder]",
    files: Sequence[str],
    save_to: str,
    *,
    overwrite: bool,
) -> FilesOfCall:
    # Imported when it is first needed, as all rooms.
    from llama_mcp.turns.attaching import place_to_save, take_files

    border = border_of()
    place = place_to_save(save_to, border, overwrite=overwrite) if save_to else None
    taken = take_files(files, border)
    return FilesOfCall(taken.files, taken.notes, place)
