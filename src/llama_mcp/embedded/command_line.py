"""Reading llama-server's command line, and printing help in its layout."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_mcp.embedded.flags import Flag
from llama_mcp.embedded.parameters import put_attribute
from llama_mcp.embedded.server_flags import FLAGS, SECTIONS

_COLUMN = 40  # where descriptions start
_WIDTH = 70
_BY_NAME = {name: flag for flag in FLAGS for name in flag.names}


class CommandLineError(Exception):
    """A command line that llama-server would refuse; the text is what it would print."""


@dataclass(frozen=True)
class Setting:
    """A flag that was given.

    Attributes:
        flag: Its row in the table.
        value: Its value, read.
        name: The name it was given by; empty if it came from the environment.
    """

    flag: Flag
    value: Any
    name: str = ""

    def put(self, params: Any) -> None:
        """Give xllamacpp's CommonParams the value."""
        if callable(self.flag.put):
            self.flag.put(params, self.value)
        elif self.flag.put:
            put_attribute(params, self.flag.put, self.value)


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> list[Setting]:
    """Every flag that was given, those of the environment first.

    Raises:
        CommandLineError: A flag is unknown, or its value cannot be.
    """
    return [*_from_environment(environment), *_from_arguments(arguments)]


def repeated(settings: Sequence[Setting]) -> list[str]:
    """The names under which a flag was given again."""
    return [
        setting.name
        for position, setting in enumerate(settings)
        if setting.name and any(setting.flag is before.flag for before in settings[:position])
    ]


def help_text() -> str:
    """What `--help` prints."""
    sections = (
        f"----- {title} -----\n\n" + "".join(usage(flag) for flag in flags)
        for title, flags in SECTIONS.items()
    )
    return "\n\n".join(sections)


def usage(flag: Flag) -> str:
    """A flag's entry in the help."""
    left = _left(flag)
    lines = textwrap.wrap(flag.help, _WIDTH)
    if flag.env:
        lines.append(f"(env: {flag.env})")
    if len(left) > _COLUMN - 3:
        lines.insert(0, left)
    else:
        lines[0] = left.ljust(_COLUMN) + lines[0]
    indent = "\n" + " " * _COLUMN
    return indent.join(lines) + "\n"


def _left(flag: Flag) -> str:
    first, *rest = flag.names
    # A short first name is padded, so that the long names stand below one another.
    names = f"{first}, ".ljust(7) + ", ".join(rest) if rest else first
    return f"{names} {flag.syntax}".rstrip()


def _from_environment(environment: Mapping[str, str]) -> Iterator[Setting]:
    for flag in FLAGS:
        if flag.env and (raw := environment.get(flag.env)):
            yield Setting(flag, _read(flag, raw, f'environment variable "{flag.env}"'))


def _from_arguments(arguments: Sequence[str]) -> Iterator[Setting]:
    remaining = iter(arguments)
    for argument in remaining:
        name = _dashed(argument)
        flag = _BY_NAME.get(name)
        if flag is None:
            raise CommandLineError(f"error: invalid argument: {argument}")
        if flag.read is None:
            yield Setting(flag, name not in flag.off_names, argument)
        else:
            value = _read(flag, next(remaining, None), f'argument "{argument}"')
            yield Setting(flag, value, argument)


def _read(flag: Flag, raw: str | None, where: str) -> object:
    try:
        if raw is None:
            raise ValueError("expected value for argument")
        return flag.read(raw) if flag.read else raw
    except ValueError as error:
        complaint = f"error while handling {where}: {error}\n\nusage:\n{usage(flag)}"
        raise CommandLineError(complaint) from None


def _dashed(argument: str) -> str:
    return argument.replace("_", "-") if argument.startswith("--") else argument
