"""A part of the benchmarks that is measured alone or, by compare.py, with the others."""

from collections.abc import Callable, Sequence
from pathlib import Path

from measuring.rows import Table
from measuring.scene import read_arguments, scratch_folder

# Takes the engine (a llama.cpp folder, or `embedded`), a folder of its own and whether a few rounds
# are enough; gives what was measured.
Part = Callable[[str, Path, bool], Sequence[Table]]


def measure_alone(description: str | None, part: Part) -> None:
    """Read the arguments of a part's own command, measure and print.

    Args:
        description: the program's docstring.
        part: what it measures.
    """
    arguments = read_arguments(description)
    with scratch_folder() as folder:
        for table in part(arguments.engine, folder, arguments.quick):
            table.print()
