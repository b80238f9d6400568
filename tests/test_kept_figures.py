"""The benchmarks' verdict: whether a figure is worse than the kept one."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

# The benchmarks are programs, and no package.
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from measuring.kept_figures import figures_of, read_figures, verdict, write_figures
from measuring.rows import Goal, Row


def row_of(ours: list[float], twin: list[float], baseline: list[float], goal: Goal) -> Row:
    return Row("turn", "ms", [goal], ours, baseline, twin)


ADDED = Goal("added", at_most=5)
TURN = row_of([14, 15, 16, 17], [14, 15, 17, 17], [10, 10, 10, 10], ADDED)


def test_the_spread_is_the_most_that_equal_builds_differ_in_any_quarter() -> None:
    assert TURN.spread("added") == 1
    assert TURN.figure("added") == 5.5


@pytest.mark.parametrize(
    ("slower_by", "said"), [(0.9, "as it was"), (1.1, "worse"), (-1.1, "better")]
)
def test_a_time_is_worse_when_it_grows_by_more_than_equal_builds_differ(
    slower_by: float, said: str
) -> None:
    kept = figures_of("chat", [TURN])["chat: turn"]
    assert verdict(kept, replace(kept, value=kept.value + slower_by)) == said


def test_a_speed_is_worse_when_it_falls() -> None:
    speed = row_of([100, 102], [101, 101], [], Goal("value", at_least=90))
    kept = figures_of("transport", [speed])["transport: turn"]
    assert verdict(kept, replace(kept, value=90)) == "worse"
    assert verdict(kept, replace(kept, value=110)) == "better"


def test_a_figure_without_baseline_is_compared_on_its_machine_only() -> None:
    memory = row_of([3, 3], [3, 3], [], Goal("value", at_most=3))
    kept = figures_of("held_turns", [memory])["held_turns: turn"]
    assert verdict(replace(kept, machine="another"), replace(kept, value=9)) != "worse"
    assert verdict(kept, replace(kept, value=9)) == "worse"


def test_figures_come_back_from_the_file_as_they_were_kept(tmp_path: Path) -> None:
    figures = figures_of("chat", [TURN])
    write_figures(tmp_path / "figures.toml", figures)
    assert read_figures(tmp_path / "figures.toml") == figures
    assert read_figures(tmp_path / "nothing.toml") == {}
