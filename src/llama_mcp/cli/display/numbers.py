"""Numbers that commands take as arguments."""

from argparse import ArgumentTypeError
from collections.abc import Callable


def whole_number(most: int) -> Callable[[str], int]:
    """Return what reads a whole number from 1 to the most that is taken."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = 0
        if 1 <= number <= most:
            return number
        raise ArgumentTypeError(f"{text!r} is no whole number from 1 to {most}")

    return read
