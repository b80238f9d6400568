"""A limit shows nothing on a machine that has no time."""

from collections import namedtuple

from llama_mcp.cli.proof.idleness import idle_share

Times = namedtuple("Times", "user system idle iowait guest")  # as psutil has it
BEFORE = Times(100.0, 10.0, 1000.0, 5.0, 50.0)


def test_waiting_for_a_disk_is_idle_and_guests_are_counted_once() -> None:
    after = Times(101.0, 11.0, 1001.0, 6.0, 51.0)
    assert idle_share(BEFORE, after) == 0.5


def test_a_machine_without_time_has_none_that_is_idle() -> None:
    assert idle_share(BEFORE, BEFORE._replace(user=104.0)) == 0.0


def test_where_nothing_was_counted_nothing_was_busy() -> None:
    assert idle_share(BEFORE, BEFORE) == 1.0
