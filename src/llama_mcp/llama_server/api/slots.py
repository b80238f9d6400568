"""What llama-server's slots are doing, read without waking the model.

llama-server started with --sleep-idle-seconds unloads its model when nobody asks for anything.
Tried on b11434 and on xllamacpp b11549: /props, /health and /metrics neither wake it nor keep it
awake; /slots does both.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.fields import count_or_none
from llama_mcp.llama_server.api.metrics_text import COUNTS, Samples, parse_exposition
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.status import Slot, SlotCount

SLEEP_FLAG = "--sleep-idle-seconds"
NEVER = "-1"


@dataclass(frozen=True, slots=True)
class SlotsAnswer:
    """What the slots are doing; slots is None when this build has no /slots or was not asked."""

    slots: list[Slot] | None
    is_sleeping: bool = False


def can_sleep(config: LaunchConfig) -> bool:
    """Tell whether a llama-server with this config may unload its model when it is idle."""
    arguments = [argument.replace("_", "-") for argument in config.extra_args]
    flags = [index for index, argument in enumerate(arguments) if argument == SLEEP_FLAG]
    return bool(flags) and arguments[flags[-1] + 1 :][:1] != [NEVER]


async def is_asleep(config: LaunchConfig, client: LlamaServerClient) -> bool:
    """Tell whether the model is unloaded now; asks only a llama-server that can sleep."""
    if not can_sleep(config):
        return False
    props = await client.get_or_none("/props")
    return isinstance(props, dict) and props.get("is_sleeping") is True


async def read_slots(config: LaunchConfig, client: LlamaServerClient) -> SlotsAnswer:
    """Read every slot, without waking a model that sleeps or keeping an idle one awake."""
    if await is_asleep(config, client):
        return SlotsAnswer(None, is_sleeping=True)
    if can_sleep(config):
        text = await client.metrics_text() or ""
        # On a thread: the parser's first import takes a while.
        exposition = await anyio.to_thread.run_sync(parse_exposition, text)
        count = count_in_metrics(exposition.samples, config.parallel)
        if count is not None and not count.busy:
            return SlotsAnswer([Slot(id=n, is_processing=False) for n in range(count.total)])
    return SlotsAnswer(slots_in(await client.slots()))


def slots_in(answer: object) -> list[Slot] | None:
    """Return what /slots says; None for a build that has none."""
    if not isinstance(answer, list):
        return None
    return [_slot(number, raw) for number, raw in enumerate(answer) if isinstance(raw, dict)]


def count_slots(slots: Iterable[Slot] | None) -> SlotCount | None:
    """Return how many slots there are and how many are busy; None when that is not told."""
    if slots is None:
        return None
    busy = [slot.is_processing for slot in slots]
    return SlotCount(total=len(busy), busy=sum(busy))


def count_in_metrics(samples: Samples, total: int) -> SlotCount | None:
    """Return the same from /metrics, which does not keep a model awake."""
    busy = samples.get(COUNTS["requests_processing"])
    return None if busy is None else SlotCount(total=total, busy=min(int(busy), total))


def _slot(number: int, raw: dict[str, Any]) -> Slot:
    next_token = raw.get("next_token")  # a list since 2026
    if isinstance(next_token, list):
        next_token = next_token[0] if next_token else None
    progress = next_token if isinstance(next_token, dict) else {}
    is_processing = raw.get("is_processing", raw.get("state"))  # a number in 2024, 0 for idle
    own_id = count_or_none(raw.get("id"))
    return Slot(
        id=number if own_id is None else own_id,
        is_processing=bool(is_processing),
        ctx_size=count_or_none(raw.get("n_ctx")),
        tokens=count_or_none(raw.get("n_prompt_tokens")),
        prompt_tokens_processed=count_or_none(raw.get("n_prompt_tokens_processed")),
        generated_tokens=count_or_none(progress.get("n_decoded")),
        remaining_tokens=count_or_none(progress.get("n_remain")) if is_processing else None,
    )
