"""Who uses which llama-server, from the archive and the turns of this process; pure."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llama_mcp.llama_server.use import Use
from llama_mcp.sessions.records import TurnUnderway

if TYPE_CHECKING:
    from llama_mcp.turns.jobs.job import Job
    from llama_mcp.turns.turn import Turn


def uses_of(
    underway: Sequence[TurnUnderway], own: "Sequence[Turn | Job]", named: str | None
) -> list[Use]:
    """Return the turns of all processes that are not over.

    Args:
        underway: all of them, as the archive has them.
        own: those of this process.
        named: whose sessions are named; None names none.
    """
    # Of the turns of others it is not known whether they have a slot.
    waiting = {turn.session_id for turn in own if turn.reply.queue_place}
    loading = {turn.session_id for turn in own if turn.reply.load}
    # After a crash a turn goes on with another launch than it was begun with.
    serving = {turn.session_id: turn.serving_id for turn in own}
    return [
        Use(
            session=f"{turn.session_id} ({turn.title})" if turn.owner == named else "",
            pid=None if turn.is_left else turn.writer_pid,
            seconds=turn.age_seconds,
            is_waiting=turn.session_id in waiting,
            is_loading=turn.session_id in loading,
            run=serving.get(turn.session_id, turn.run),
            is_left=turn.is_left,
        )
        for turn in underway
    ]


def own_uses(own: "Sequence[Turn | Job]", named: str | None) -> list[Use]:
    """Return the turns of this process, where those of others are not known."""
    return [
        Use(
            session=turn.session_id if turn.owner == named else "",
            pid=os.getpid(),
            is_waiting=bool(turn.reply.queue_place),
            run=turn.serving_id,
        )
        for turn in own
    ]
