"""Who uses which llama-server, from the archive and the turns of this process; pure."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llama_mcp.llama_server.status import ServerStatus
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


def with_own_clients(status: ServerStatus, own: "Sequence[Turn | Job]") -> ServerStatus:
    """Return the status with clients as people count them.

    Leases count processes. One that serves several people counts for each who has a turn under way.

    Args:
        status: it.
        own: the turns of this process that are not over.
    """
    owners: dict[str, set[str]] = {}
    for turn in own:
        owners.setdefault(turn.reply.model or "", set()).add(turn.owner)

    def counted(model: str | None, processes: int) -> int:
        return processes + max(0, len(owners.get(model or "", ())) - 1)

    rows = [
        each.model_copy(update={"clients": counted(each.name, each.clients)})
        for each in status.models or []
    ]
    # Who uses an engine that somebody else runs holds no lease.
    clients = status.clients if status.remote else counted(status.model, status.clients)
    return status.model_copy(update={"clients": clients, "models": rows or status.models})
