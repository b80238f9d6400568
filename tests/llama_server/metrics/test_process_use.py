"""Memory and processor time of some processes, as psutil tells them one by one."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from llama_mcp.llama_server.metrics.process_use import ProcessUse, cpu_percent, measure

# Uses a little of both, has a child that does so too, says so, and waits for its end.
PROGRAM = """
import subprocess, sys, time
held = bytearray(30_000_000)
while time.process_time() < 0.15:
    pass
if sys.argv[1] == "parent":
    child = subprocess.Popen([sys.executable, *sys.orig_argv[1:-1], "child"], stdin=subprocess.PIPE)
else:
    print("used", flush=True)
sys.stdin.read()
"""


@contextmanager
def busy_family() -> Iterator[psutil.Process]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "parent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"used"
        yield psutil.Process(process.pid)


def test_processes_are_measured_together() -> None:
    with busy_family() as parent:
        family = [parent, *parent.children()]
        use = measure([each.pid for each in family])
        assert use is not None
        assert use.pids == {each.pid for each in family}
        assert use.memory_bytes >= 2 * 30_000_000
        assert use.memory_bytes == pytest.approx(
            sum(each.memory_info().rss for each in family), rel=0.1
        )
        assert use.cpu_seconds >= 0.2


def test_a_process_that_is_gone_uses_nothing_that_could_be_told() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert measure([process.pid]) is None


@pytest.mark.parametrize(
    ("seconds", "cpu_seconds", "expected"), [(2, 3, 150), (4, 1, 25), (2, 0, 0), (0, 1, None)]
)
def test_busyness_is_processor_time_by_time(
    seconds: float, cpu_seconds: float, expected: float | None
) -> None:
    earlier, later = (
        ProcessUse(at, frozenset({1}), 0, 10 + used)
        for at, used in ((100.0, 0), (100 + seconds, cpu_seconds))
    )
    assert cpu_percent(earlier, later) == expected


def test_a_child_that_has_ended_takes_its_time_with_it() -> None:
    earlier, later = ProcessUse(1.0, frozenset(), 0, 9.0), ProcessUse(2.0, frozenset(), 0, 1.0)
    assert cpu_percent(earlier, later) is None
