"""When an engine's reply has stopped for good, as far as that shows without its process."""

import time
from collections.abc import Callable

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.api.fields import member
from llama_mcp.llama_server.remote.access import Access
from llama_mcp.llama_server.remote.errors import RemoteLostError
from llama_mcp.llama_server.remote.figures import slots_of
from llama_mcp.llama_server.remote.finding_out import MODELS

# llama-server gives up a connection after as long.
MOST_SILENT_SECONDS = 3600.0
# One that is busy may miss one question.
_AGAIN_SECONDS = 5.0


async def wait_until_silent(
    access: Access, patience_seconds: float, heard_at: Callable[[], float]
) -> LlamaMCPError:
    """Wait until nothing has come for long and the engine does not answer, and return that.

    An engine that answers may read a long prompt or have others in front: it is waited for, unless
    it tells that none of its slots does anything.

    Args:
        access: the way to the engine.
        patience_seconds: silence after which it is asked, and asked again.
        heard_at: returns when something came last, by time.monotonic().
    """
    asked_at = 0.0
    while True:
        since = max(heard_at(), asked_at)
        left = since + patience_seconds - time.monotonic()
        if left > 0:
            await anyio.sleep(left)
            continue
        before = heard_at()
        silent = time.monotonic() - before
        nothing = f"nothing of the reply came for {silent:.0f} s"
        if (why := await _why_dead(access)) and heard_at() == before:
            return RemoteLostError(access.url, f"{nothing}, and {why}")
        if silent > MOST_SILENT_SECONDS:
            return RemoteLostError(access.url, f"{nothing}, although it answers")
        asked_at = time.monotonic()


async def _why_dead(access: Access) -> str | None:
    """Return why nothing more will come; None when something may."""
    if not await _answers(access):
        await anyio.sleep(_AGAIN_SECONDS)
        if not await _answers(access):
            access.doubt()
            return "it does not answer any more"
    if access.facts is not None and access.facts.has_slots and await _is_idle(access):
        return "none of its slots generates"
    return None


async def _answers(access: Access) -> bool:
    try:
        await access.http.ask("GET", MODELS)
    except LlamaMCPError:
        return False
    return True


async def _is_idle(access: Access) -> bool:
    try:
        slots = await slots_of(access)
    except LlamaMCPError:
        return False
    if not isinstance(slots, list) or not slots:
        return False
    return all(member(slot, "is_processing") is False for slot in slots)
