"""Whether a llama-server that says it is healthy still generates, and a reply still grows.

After a GPU error, for example, /health can say ok although no token ever comes (seen by users of
llama-swap, its issues 100 and 125). So llama-server is asked for one token. If that does not come
because every slot is busy, the replies in the slots must have grown meanwhile.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.errors import CompletionError, StalledReplyError, UnresponsiveError
from llama_mcp.llama_server.runs.members import pids_of
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.worker_errors import WorkerSilentError, WorkersInDoubtError
from llama_mcp.llama_server.workers.connections import connections_to, owed_by

# How far each busy slot is: its task, and the counts that grow as it goes on.
BusySlots = Mapping[object, tuple[object, str]]
# llama-server is not asked more often than this, however short the patience.
MIN_PAUSE_SECONDS = 0.1
_COUNTS = ("n_prompt_tokens_processed", "next_token")


@dataclass(frozen=True, slots=True)
class _Sign:
    is_alive: bool
    busy_slots: BusySlots


async def wait_until_silent(
    run: Run, client: LlamaServerClient, patience_seconds: float, heard_at: Callable[[], float]
) -> LlamaMCPError:
    """Wait until a reply has stopped for good, and return why.

    Args:
        run: the launch that generates it.
        client: the connection to it.
        patience_seconds: silence after which llama-server is asked for a sign of life.
        heard_at: returns when something came last, by time.monotonic().
    """
    alive_at = 0.0
    slots: BusySlots = {}
    while True:
        silence = time.monotonic() - max(heard_at(), alive_at)
        await anyio.sleep(max(patience_seconds - silence, MIN_PAUSE_SECONDS))
        if time.monotonic() - max(heard_at(), alive_at) < patience_seconds:
            slots = {}
            continue
        try:
            slots = await check_alive(run, client, patience_seconds, slots)
        except (UnresponsiveError, StalledReplyError) as error:
            return error
        alive_at = time.monotonic()


async def check_alive(
    run: Run, client: LlamaServerClient, timeout_seconds: float, earlier: BusySlots
) -> BusySlots:
    """Ask a silent llama-server for a sign of life, and record whether it gave one.

    Args:
        run: its launch.
        client: the connection to it.
        timeout_seconds: how long it may take.
        earlier: what the last check returned, if nothing has come since.

    Returns:
        How far its busy slots are.

    Raises:
        UnresponsiveError: there is none.
        StalledReplyError: it lives, but a slot has stood still since the last check.
    """
    sign = await _ask_for_sign(client, timeout_seconds)
    run.mark_unresponsive(not sign.is_alive)
    if not sign.is_alive:
        raise await anyio.to_thread.run_sync(_why_silent, run, timeout_seconds)
    if any(sign.busy_slots.get(slot) == position for slot, position in earlier.items()):
        raise StalledReplyError(timeout_seconds, run.launch.alias)
    return sign.busy_slots


def _why_silent(run: Run, silent_seconds: float) -> UnresponsiveError:
    """Return the error for a llama-server that generates nothing; blocking."""
    model, workers = run.launch.alias, run.launch.worker_addresses
    if not workers:
        return UnresponsiveError(silent_seconds, model)
    if owed := owed_by(connections_to(workers, pids_of(run.state()))):
        return WorkerSilentError(model, *owed)
    return WorkersInDoubtError(silent_seconds, model, workers)


async def _ask_for_sign(client: LlamaServerClient, timeout_seconds: float) -> _Sign:
    before = _busy_slots(await client.get_or_none("/slots"))
    generates = False
    with anyio.move_on_after(timeout_seconds):
        generates = await _generates_one_token(client)
    after = _busy_slots(await client.get_or_none("/slots"))
    # Only a task that was there before: the question for one token is in a slot itself.
    moves = any(
        after[slot][0] == task and after[slot] != (task, counts)
        for slot, (task, counts) in before.items()
        if slot in after
    )
    return _Sign(generates or moves, after)


async def _generates_one_token(client: LlamaServerClient) -> bool:
    body = {"messages": [{"role": "user", "content": "."}], "max_tokens": 1}
    try:
        async with client.stream_chat(body) as chunks:
            async for _chunk in chunks:
                pass
    except CompletionError:
        return False
    return True


def _busy_slots(slots: Any) -> BusySlots:
    """Return the busy slots as llama-server tells them; none when it does not answer."""
    if not isinstance(slots, list):
        return {}
    return {
        slot.get("id"): (slot.get("id_task"), str([slot.get(name) for name in _COUNTS]))
        for slot in slots
        if isinstance(slot, dict) and slot.get("is_processing", slot.get("state"))
    }
