"""A reply that goes to a file, written when it is whole."""

from dataclasses import dataclass

from llama_mcp.errors import LlamaMCPError
from llama_mcp.sessions.attachments import SaveTo
from llama_mcp.sessions.records import TurnStatus


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
    try:
        return Written(await _write(save_to, reply))
    except LlamaMCPError as error:
        return Written(notes=(f"The reply was not written to {save_to.path}: {error}",))


async def _write(save_to: SaveTo, reply: str) -> int:
    raise NotImplementedError
