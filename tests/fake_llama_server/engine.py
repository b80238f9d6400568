"""What the stand-in knows about itself: its slots, its counters, and how it reports them."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .command_line import Launch
from .http import Connection
from .log import slot_log
from .streams import Streams

CHARACTERS_PER_TOKEN = 4
QUEUE_POLL_SECONDS = 0.02  # how soon a waiting request notices a free slot or a client that left

CHAT_TEMPLATE = (
    "{% for m in messages %}<{{m.role}}>{{m.content}}</{{m.role}}>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
SAMPLING: dict[str, Any] = {
    "seed": 4294967295,
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.05,
    "max_tokens": -1,
    "n_predict": -1,
    "stream": False,
    "samplers": ["penalties", "dry", "top_k", "top_p", "min_p", "xtc", "temperature"],
    "timings_per_token": False,
    "lora": [],
}
TEMPLATE_CAPS = {
    "supports_object_arguments": False,
    "supports_parallel_tool_calls": False,
    "supports_preserve_reasoning": False,
    "supports_reasoning_effort": False,
    "supports_string_content": True,
    "supports_system_role": True,
    "supports_tool_calls": False,
    "supports_tools": False,
    "supports_typed_content": False,
}
ROUTER_PROPS: dict[str, Any] = {
    "role": "router",
    "max_instances": 4,
    "models_autoload": True,
    "model_alias": "llama-server",
    "model_path": "none",
    "default_generation_settings": {"params": None, "n_ctx": 0},
    "ui_settings": {},
    "build_info": "b0-unknown",
    "cors_proxy_enabled": False,
}


def count_tokens(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


@dataclass
class Slot:
    id: int
    task: int = -1  # -1: never used
    busy: bool = False
    prompt_tokens: int = 0
    decoded: int = 0
    started: float = 0


@dataclass
class Counters:
    prompt_tokens: int = 0
    prompt_seconds: float = 0
    predicted_tokens: int = 0
    predicted_seconds: float = 0
    longest: int = 0
    deferred: int = 0


@dataclass
class Engine:
    launch: Launch
    folder: str  # where fake.json is
    ready: threading.Event = field(default_factory=threading.Event)
    counters: Counters = field(default_factory=Counters)
    streams: Streams = field(default_factory=Streams)
    tasks: int = 0

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.slots = [Slot(number) for number in range(self.launch.slots)]

    @contextmanager
    def slot(self, connection: Connection, prompt_tokens: int) -> Iterator[Slot]:
        """Wait for a free slot and keep it; the client hears nothing while it waits."""
        slot = self._wait_for_slot(connection)
        slot.prompt_tokens, slot.decoded, slot.started = prompt_tokens, 0, time.monotonic()
        task = slot.task
        slot_log("launch_slot_", slot.id, task, "processing task, is_child = 0")
        try:
            yield slot
        finally:
            self.release(slot, task)

    def release(self, slot: Slot, task: int) -> None:
        """Free the slot, unless another task has it already."""
        with self.lock:
            if slot.task != task or not slot.busy:
                return
            self._count(slot, time.monotonic() - slot.started)
            slot.busy = False
        tokens = slot.prompt_tokens + slot.decoded
        slot_log("release", slot.id, task, f"stop processing: n_tokens = {tokens}, truncated = 0")

    def _wait_for_slot(self, connection: Connection) -> Slot:
        self.counters.deferred += 1
        try:
            while (slot := self._take_slot()) is None:
                connection.pause(QUEUE_POLL_SECONDS)
            return slot
        finally:
            self.counters.deferred -= 1

    def _take_slot(self) -> Slot | None:
        with self.lock:
            slot = next((slot for slot in self.slots if not slot.busy), None)
            if slot is not None:
                self.tasks += 1
                slot.busy, slot.task = True, self.tasks
            return slot

    def _count(self, slot: Slot, seconds: float) -> None:
        counters = self.counters
        counters.prompt_tokens += slot.prompt_tokens
        counters.prompt_seconds += seconds / 2
        counters.predicted_tokens += slot.decoded
        counters.predicted_seconds += seconds / 2
        counters.longest = max(counters.longest, slot.prompt_tokens + slot.decoded)

    def props(self) -> dict[str, Any]:
        launch = self.launch
        if not launch.model:
            return dict(ROUTER_PROPS)
        return {
            "default_generation_settings": {"params": SAMPLING, "n_ctx": launch.slot_context},
            "total_slots": launch.slots,
            "model_alias": launch.alias,
            "model_ftype": "all F32",
            "model_path": launch.model,
            "modalities": {"vision": False, "video": False, "audio": False},
            "media_marker": "<__media__>",
            "endpoint_slots": launch.slots_endpoint,
            "endpoint_props": False,
            "endpoint_metrics": launch.metrics,
            "ui": False,
            "ui_settings": {},
            "chat_template": CHAT_TEMPLATE,
            "chat_template_caps": TEMPLATE_CAPS,
            "bos_token": "<s>",
            "eos_token": "</s>",
            "build_info": "b0-unknown",
            "is_sleeping": False,
            "cors_proxy_enabled": False,
        }

    def slot_reports(self) -> list[dict[str, Any]]:
        return [self._slot_report(slot) for slot in self.slots]

    def _slot_report(self, slot: Slot) -> dict[str, Any]:
        report: dict[str, Any] = {
            "id": slot.id,
            "n_ctx": self.launch.slot_context,
            "speculative": False,
            "is_processing": slot.busy,
        }
        if slot.task < 0:
            return report
        return report | {
            "id_task": slot.task,
            "n_prompt_tokens": slot.prompt_tokens + slot.decoded,
            "n_prompt_tokens_processed": slot.prompt_tokens if slot.busy else 0,
            "n_prompt_tokens_cache": 0,
            "params": SAMPLING,
            "next_token": [
                {
                    "has_next_token": slot.busy,
                    "has_new_line": False,
                    "n_remain": -1,
                    "n_decoded": slot.decoded,
                }
            ],
        }

    def metrics_text(self) -> str:
        counters = self.counters
        busy = sum(slot.busy for slot in self.slots)
        values = {
            "prompt_tokens_total": counters.prompt_tokens,
            "prompt_tokens_cached_total": 0,
            "prompt_seconds_total": round(counters.prompt_seconds, 6),
            "tokens_predicted_total": counters.predicted_tokens,
            "tokens_predicted_seconds_total": round(counters.predicted_seconds, 6),
            "n_decode_total": counters.predicted_tokens,
            "n_tokens_max": counters.longest,
            "spec_decode_num_draft_tokens_total": 0,
            "spec_decode_num_accepted_tokens_total": 0,
            "spec_decode_num_drafts_total": 0,
            "prompt_tokens_seconds": _rate(counters.prompt_tokens, counters.prompt_seconds),
            "predicted_tokens_seconds": _rate(
                counters.predicted_tokens, counters.predicted_seconds
            ),
            "requests_processing": busy,
            "requests_deferred": counters.deferred,
            "n_busy_slots_per_decode": busy,
        }
        return "".join(_metric(name, value) for name, value in values.items())


def _metric(name: str, value: float) -> str:
    counter = name.endswith("_total") or name == "n_tokens_max"
    full = f"llamacpp:{name}"
    shown = value if isinstance(value, int) else f"{value:g}"
    help_line = f"# HELP {full} {name.replace('_', ' ').capitalize()}"
    return f"{help_line}\n# TYPE {full} {'counter' if counter else 'gauge'}\n{full} {shown}\n"


def _rate(tokens: int, seconds: float) -> float:
    return tokens / seconds if seconds else 0.0
