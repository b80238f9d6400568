"""The figures that are kept in the repository, and whether new ones are worse.

A figure is worse when it differs by more than two equal builds did, then or now. Added times and
ratios were measured beside their baseline; a figure that stands alone is bound to its machine, and
compared there only.
"""

import os
import platform
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from measuring.rows import Measured, Row

WORSE = "worse"
# Two equal builds of one run are alike in what differs from run to run, such as where memory lies.
_LEAST_SHARE = 0.02
_HEAD = """\
# Written by `python benchmarks/compare.py --keep`; `spread`: by how much two equal builds differed.
"""


@dataclass(frozen=True)
class Figure:
    """What is kept of a row."""

    of: Measured
    value: float
    spread: float
    unit: str
    more_is_better: bool
    machine: str


def figures_of(part: str, rows: Iterable[Row]) -> dict[str, Figure]:
    """Return the figures of what a part has measured, by name."""
    here = this_machine()
    return {
        f"{part}: {row.name}": Figure(
            row.of,
            row.figure(row.of),
            row.spread(row.of) or 0.0,
            row.unit,
            row.more_is_better,
            here,
        )
        for row in rows
        if row.ours
    }


def this_machine() -> str:
    """Return what figures without a baseline depend on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} processors, {platform.system()}"


def read_figures(path: Path) -> dict[str, Figure]:
    """Return the kept figures by name; none if nothing was kept yet."""
    if not path.exists():
        return {}
    return {name: Figure(**kept) for name, kept in tomllib.loads(path.read_text()).items()}


def write_figures(path: Path, figures: Mapping[str, Figure]) -> None:
    """Keep these figures."""
    lines = [_HEAD]
    for name, figure in sorted(figures.items()):
        lines.append(
            f'"{name}" = {{ of = "{figure.of}", value = {figure.value:.4g},'
            f' spread = {figure.spread:.2g}, unit = "{figure.unit}",'
            f" more_is_better = {str(figure.more_is_better).lower()},"
            f' machine = "{figure.machine}" }}\n'
        )
    path.write_text("".join(lines))


def verdict(kept: Figure | None, now: Figure) -> str:
    """Return WORSE, `better`, `as it was`, or why there is nothing to compare."""
    if kept is None or kept.of != now.of:
        return "new"
    if now.of in ("value", "slow") and kept.machine != now.machine:
        return "kept on another machine"
    growth = now.value - kept.value
    if abs(growth) <= max(kept.spread, now.spread, _LEAST_SHARE * abs(kept.value)):
        return "as it was"
    return "better" if (growth > 0) == now.more_is_better else WORSE
