"""Has anything got worse than the figures that are kept in the repository?

    python benchmarks/compare.py [PART...] [--engine PATH] [--quick] [--any-moment] [--keep]

Measures the parts that are named, or all, prints their tables and then each figure beside the kept
one (benchmarks/figures.toml). It ends with 1 when one is worse by more than two equal builds
differed, then or now. With --keep the new figures are written there instead. Take another engine or
--quick only to compare with what was kept the same way.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import archive
import chat
import cold_start
import crowd
import first_text
import held_turns
import old_sessions
import over_http
import resource_list
import transport
from measuring.kept_figures import (
    WORSE,
    Figure,
    figures_of,
    read_figures,
    verdict,
    write_figures,
)
from measuring.scene import add_common_arguments, heed_common_arguments, scratch_folder

KEPT = Path(__file__).with_name("figures.toml")
PARTS = {
    "chat": chat.measure,
    "crowd": crowd.measure,
    "transport": transport.measure,
    "first_text": first_text.measure,
    "old_sessions": old_sessions.measure,
    "archive": archive.measure,
    "held_turns": held_turns.measure,
    "resource_list": resource_list.measure,
    "cold_start": cold_start.measure,
    "over_http": over_http.measure,
}


def print_comparison(kept: Mapping[str, Figure], now: Mapping[str, Figure]) -> bool:
    """Print each figure beside the kept one, and in the end which are worse; return if none is."""
    print(f"\n{'figure':66}{'unit':>7}{'':>7}{'kept':>10}{'now':>10}{'spread':>8}")
    worse = []
    for name, figure in now.items():
        before = kept.get(name)
        judged = verdict(before, figure)
        if judged == WORSE:
            worse.append(name)
        was = f"{before.value:.4g}" if before else ""
        spread = max(figure.spread, before.spread if before else 0.0)
        line = (
            f"{name:66}{figure.unit:>7}{figure.of:>7}{was:>10}{figure.value:>10.4g}{spread:>8.2g}"
        )
        print(f"{line}  {judged}")
    print("added, ratio: beside a baseline of the same run; value, slow: bound to the machine")
    print(f"\nWorse than the kept figures: {', '.join(worse) or 'nothing'}")
    return not worse


def main() -> None:
    """Read the arguments, measure, and compare or keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    add_common_arguments(parser)
    parser.add_argument("--keep", action="store_true", help="write the new figures")
    arguments = parser.parse_args()
    heed_common_arguments(arguments)
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    now: dict[str, Figure] = {}
    for part in arguments.parts or PARTS:
        with scratch_folder() as folder:
            for table in PARTS[part](arguments.engine, folder, arguments.quick):
                table.print()
                now |= figures_of(part, table.rows)
    kept = read_figures(KEPT)
    is_fine = print_comparison(kept, now)
    if arguments.keep:
        write_figures(KEPT, kept | now if arguments.parts else now)
    elif not is_fine:
        sys.exit(1)


if __name__ == "__main__":
    main()
