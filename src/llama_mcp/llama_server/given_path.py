"""A path as a caller gave it: any text at all."""

import os
from contextlib import suppress
from pathlib import Path

from llama_mcp.errors import InvalidArgumentError


def given_path(parameter: str, text: str) -> Path:
    """Return the path with `~` expanded; nothing needs to be there.

    Raises:
        InvalidArgumentError: nothing can be there, or this user may not look: too long a name, a
            NUL, an unknown user after `~`, a folder that is locked.
    """
    try:
        path = Path(text).expanduser()
        with suppress(FileNotFoundError, NotADirectoryError):
            os.stat(path)
    except (OSError, RuntimeError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InvalidArgumentError(
            parameter, f"is a path that cannot be used: {reason.rstrip('.')}", "Pass another one."
        ) from error
    return path
