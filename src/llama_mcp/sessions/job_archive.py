"""Jobs over files in the archive, asynchronous."""

import anyio

from llama_mcp.sessions.archive_file import ArchiveFile
from llama_mcp.sessions.jobs import FinishedPiece, JobState, KeptJob
from llama_mcp.sessions.patience import ENDING_SECONDS, PARTIAL_SECONDS, waiting_at_most
from llama_mcp.sessions.sqlite import jobs


class JobArchive(ArchiveFile):
    """What the archive keeps of jobs. A job is a turn that was begun; its end is the turn's, too.

    All methods raise ArchiveError when the file cannot be opened, read or written.
    """

    async def begin_job(self, session_id: str, turn: int, call: str, state: JobState) -> None:
        """Write down that a turn under way is a job.

        Args:
            session_id: The session.
            turn: The turn.
            call: By which the same call is known when it is made again.
            state: What is known of it.
        """
        await self._run(jobs.begin_job, session_id, turn, call, state)

    async def save_piece(
        self, session_id: str, turn: int, piece: FinishedPiece, state: JobState
    ) -> None:
        """Write down one reply that a job needs, and how far the job is."""
        with waiting_at_most(PARTIAL_SECONDS):
            await self._run(jobs.save_piece, session_id, turn, piece, state)

    async def end_job(self, session_id: str, turn: int, state: JobState) -> None:
        """Write down what has come of a job."""
        with anyio.CancelScope(shield=True), waiting_at_most(ENDING_SECONDS, ENDING_SECONDS):
            await self._run(jobs.end_job, session_id, turn, state)

    async def forget_pieces(self, session_id: str, turn: int) -> None:
        """Take out what a job was made of; not before its turn is complete in the archive."""
        with anyio.CancelScope(shield=True), waiting_at_most(PARTIAL_SECONDS):
            await self._run(jobs.forget_pieces, session_id, turn)

    async def job(self, session_id: str, turn: int, *, owner: str) -> KeptJob | None:
        """Return the job that a turn is; None for a turn of a conversation."""
        return await self._run(jobs.read_job, session_id, turn, owner)

    async def pieces_left(self, call: str, *, owner: str) -> tuple[FinishedPiece, ...]:
        """Return what was finished of the owner's last job of the same call, if not complete."""
        return await self._run(jobs.pieces_left, call, owner) if self.exists() else ()
