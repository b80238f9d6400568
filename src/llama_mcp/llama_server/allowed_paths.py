"""Keeping executables, models and adapters to the folders that the operator has allowed."""

from collections.abc import Sequence
from pathlib import Path

from llama_mcp.errors import PathNotAllowedError
from llama_mcp.llama_server.capabilities import Capabilities
from llama_mcp.llama_server.given_path import given_path

# How --help marks a value that is a file or a folder.
_FILE_VALUES = ("FNAME", "FILE", "PATH", "DIR")


def check_path(path: Path, parameter: str, allowed: Sequence[Path]) -> None:
    """Raise PathNotAllowedError for a path outside the allowed folders, links followed."""
    if not allowed:
        return
    real = path.expanduser().resolve()
    if not any(real.is_relative_to(folder.expanduser().resolve()) for folder in allowed):
        raise PathNotAllowedError(parameter, str(real), [str(folder) for folder in allowed])


def check_files_in(
    extra_args: Sequence[str], capabilities: Capabilities, allowed: Sequence[Path]
) -> None:
    """Check every file that a flag of extra_args names, such as a projector or an adapter."""
    for name, value in zip(extra_args, extra_args[1:], strict=False):
        flag = capabilities.flags.get(name.replace("_", "-"))
        if flag and any(word in flag.value for word in _FILE_VALUES):
            for part in value.split(","):
                path, _, scale = part.rpartition(":")
                file = given_path("extra_args", path if _is_number(scale) else part)
                check_path(file, "extra_args", allowed)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
