"""What /slots says, in the words of three eras, and who may not be looked at."""

from typing import Any

import pytest

from llama_mcp.llama_server.api.slots import can_sleep, count_in_metrics, count_slots, slots_in
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.status import Slot, SlotCount

PROGRESS = {"has_next_token": True, "n_remain": 90, "n_decoded": 10}


@pytest.mark.parametrize(
    "raw",
    [
        {"is_processing": True, "next_token": [PROGRESS]},
        {"is_processing": True, "next_token": PROGRESS},
        {"state": 1, "next_token": PROGRESS},
    ],
    ids=["2026", "2025", "2024"],
)
def test_a_busy_slot_tells_how_far_it_is(raw: dict[str, Any]) -> None:
    told = {"id": 3, "n_ctx": 1024, "n_prompt_tokens": 50, "n_prompt_tokens_processed": 40}
    assert slots_in([raw | told]) == [
        Slot(
            id=3,
            is_processing=True,
            ctx_size=1024,
            tokens=50,
            prompt_tokens_processed=40,
            generated_tokens=10,
            remaining_tokens=90,
        )
    ]


def test_a_slot_without_a_limit_has_nothing_remaining_that_could_be_told() -> None:
    (slot,) = slots_in([{"is_processing": True, "next_token": [{"n_remain": -1}]}]) or []
    assert slot == Slot(id=0, is_processing=True)


@pytest.mark.parametrize("answer", [None, {"error": {}}, "no"])
def test_a_build_without_slots_tells_nothing(answer: object) -> None:
    assert slots_in(answer) is None
    assert count_slots(None) is None


def test_odd_slots_are_passed_over_and_prompts_are_never_passed_on() -> None:
    slots = slots_in([None, {"id": "x", "prompt": "a secret", "next_token": []}, {"state": 0}])
    assert slots == [Slot(id=1, is_processing=False), Slot(id=2, is_processing=False)]


def test_busy_slots_are_counted() -> None:
    raw = [{"is_processing": busy} for busy in (True, False, True)]
    assert count_slots(slots_in(raw)) == SlotCount(total=3, busy=2)
    assert count_in_metrics({"requests_processing": 2}, 3) == SlotCount(total=3, busy=2)
    assert count_in_metrics({}, 3) is None


@pytest.mark.parametrize(
    ("extra_args", "expected"),
    [
        ((), False),
        (("--sleep-idle-seconds", "60"), True),
        (("--sleep_idle_seconds", "60"), True),
        (("--sleep-idle-seconds", "-1"), False),
        (("--sleep-idle-seconds", "60", "--sleep-idle-seconds", "-1"), False),
        (("-t", "2"), False),
    ],
)
def test_only_a_launch_with_the_flag_can_sleep(extra_args: tuple[str, ...], expected: bool) -> None:
    assert can_sleep(LaunchConfig(extra_args=extra_args)) is expected
