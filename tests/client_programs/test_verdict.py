"""A program's run is repeated, and forgiven, where the machine had no time; never what it left."""

from clients.trials.judging import Finding
from clients.trials.verdict import (
    ENOUGH_SECONDS,
    MOST_RUNS,
    Attempt,
    is_failure,
    is_final,
    is_unjudged,
    remarks,
)
from clients.trials.yardstick import BUSY_SECONDS, measured_seconds

RIGHT = Attempt((Finding("chat", "ok", True),))
WRONG = (Finding("chat", "FAILED: no such result", False),)
QUIET = Attempt(WRONG, yardstick_seconds=BUSY_SECONDS / 2)
BUSY = Attempt(WRONG, yardstick_seconds=BUSY_SECONDS * 2)
LEFT = Attempt(
    (Finding("end", "FAILED: left: llama-server", False, is_leftover=True),),
    yardstick_seconds=BUSY_SECONDS * 2,
)
LATE = Attempt(WRONG, is_late=True, yardstick_seconds=BUSY_SECONDS / 2)


def test_a_run_that_is_not_as_promised_is_made_again_for_a_while() -> None:
    assert not is_final([], 0)
    assert not is_final([QUIET], 0)
    assert is_final([QUIET, RIGHT], 0)
    assert is_final([QUIET] * MOST_RUNS, 0)
    assert is_final([QUIET], ENOUGH_SECONDS)


def test_what_hung_or_left_something_behind_is_not_made_again() -> None:
    assert is_final([LATE], 0) and is_failure([LATE])
    assert is_final([LEFT], 0) and is_failure([LEFT])


def test_the_last_run_counts() -> None:
    assert not is_failure([RIGHT])
    assert not is_failure([QUIET, RIGHT]) and not is_unjudged([QUIET, RIGHT])
    assert is_failure([QUIET] * MOST_RUNS) and not is_unjudged([QUIET] * MOST_RUNS)


def test_only_a_machine_that_was_busy_in_every_run_is_an_excuse_and_that_is_said() -> None:
    assert is_failure([BUSY, QUIET, BUSY])
    assert not is_failure([BUSY] * MOST_RUNS) and is_unjudged([BUSY] * MOST_RUNS)


def test_what_is_told_of_a_run_says_what_was_seen_and_how_slow_the_machine_was() -> None:
    told = BUSY.wrong()
    assert "chat: FAILED: no such result" in told and f"{BUSY_SECONDS * 2:.1f} s" in told


def test_a_run_that_was_made_again_is_not_passed_over() -> None:
    assert list(remarks([RIGHT])) == []
    assert len(list(remarks([QUIET, RIGHT]))) == 1
    assert len(list(remarks([BUSY] * MOST_RUNS))) == MOST_RUNS


def test_the_yardstick_measures_something() -> None:
    assert measured_seconds() > 0
