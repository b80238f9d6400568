"""Whether a llama-server that says it is healthy still generates.

After a GPU error, say, /health goes on saying ok while no token ever comes (reference: llama-swap
issues 100, 125). So it is asked for one token; when that does not come because every slot is busy,
the slots must at least have moved meanwhile.
"""

from typing import Any

import anyio

from llama_mcp.errors import CompletionError
from llama_mcp.llama_server.client import LlamaServerClient


async def still_generates(client: LlamaServerClient, timeout_seconds: float) -> bool:
    """Tell whether one token comes, or the slots move, within timeout_seconds."""
    before = _positions(await client.look("/slots"))
    with anyio.move_on_after(timeout_seconds):
        return await _generates_one_token(client)
    after = _positions(await client.look("/slots"))
    return before is not None and after is not None and before != after


async def _generates_one_token(client: LlamaServerClient) -> bool:
    body = {"messages": [{"role": "user", "content": "."}], "max_tokens": 1}
    try:
        async with client.stream_chat(body) as chunks:
            async for _chunk in chunks:
                pass
    except CompletionError:
        return False
    return True


def _positions(slots: Any) -> list[str] | None:
    """Return how far each slot is, as llama-server tells it; None when it does not answer."""
    if not isinstance(slots, list):
        return None
    names = ("id_task", "n_prompt_tokens_processed", "next_token", "is_processing")
    return [str([slot.get(name) for name in names]) for slot in slots if isinstance(slot, dict)]
