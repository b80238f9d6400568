"""The turns and jobs of this process: those under way, and the last that are over."""

from anyio.abc import TaskGroup

from llama_mcp.turns.jobs.job import Job
from llama_mcp.turns.turn import Turn

# Turns that are over and still known whole, for a caller that comes back late.
KEPT_TURNS = 64


class OwnTurns:
    """Runs turns as tasks of the process, and finds them by their session."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._turns: dict[str, Turn | Job] = {}

    def underway(self) -> list[Turn | Job]:
        """Return those that are not over, oldest first."""
        return [turn for turn in self._turns.values() if not turn.is_over]

    def last_of(self, session_id: str, owner: str) -> Turn | Job | None:
        """Return the last one of the owner's session, if this process still knows it whole."""
        turn = self._turns.get(session_id)
        return turn if turn is not None and turn.owner == owner else None

    def start(self, turn: Turn | Job) -> None:
        """Have one that is in the archive generated, and know it until it is over."""
        self._turns.pop(turn.session_id, None)  # the newest goes to the end
        self._turns[turn.session_id] = turn
        self._tasks.start_soon(self._run, turn)

    async def _run(self, turn: Turn | Job) -> None:
        try:
            await turn.run()
        finally:
            self._forget_old_ones()

    def _forget_old_ones(self) -> None:
        """Drop the oldest turns that are over; one that could not be saved stays."""
        over = [turn for turn in self._turns.values() if turn.is_over and turn.is_saved]
        for turn in over[:-KEPT_TURNS]:
            del self._turns[turn.session_id]
