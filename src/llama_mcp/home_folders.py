"""Where everything is kept: a home of its own, or the platform's folders.

Made to be imported quickly: the list of resources is told before settings.py can be.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from llama_mcp.setting_texts import is_unset
from llama_mcp.setting_values import as_folder

APPLICATION = "llama-mcp"
HOME = "LLAMA_MCP_HOME"


def state_folder(home: Path | None) -> Path:
    """Return where runs of llama-server are recorded; raises what platformdirs and paths raise."""
    return home or _of_platform("user_state_dir")


def data_folder(home: Path | None) -> Path:
    """Return where the archive of sessions is; raises what platformdirs and paths raise."""
    return home or _of_platform("user_data_dir")


def archive_in(folder: Path) -> Path:
    """Return the archive of a data folder."""
    return folder / "sessions.db"


def runs_in(folder: Path) -> Path:
    """Return where a state folder has one folder for each launch of llama-server."""
    return folder / "runs"


def home_of_environment(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the home that the environment names; None when it names none.

    Raises:
        ValueError: it is no folder's name.
    """
    texts = [text for name, text in environment.items() if name.upper() == HOME]
    return as_folder(texts[-1]) if texts and not is_unset(texts[-1]) else None


def home_of_user() -> Path | None:
    """Return the user's own folder; None where the system knows none."""
    try:
        return Path.home().absolute()
    except (OSError, RuntimeError):
        return None


def _of_platform(kind: Literal["user_state_dir", "user_data_dir"]) -> Path:
    # Imported here: it takes as long as the rest of this module, for those without a home alone.
    import platformdirs

    folder: str = getattr(platformdirs, kind)(APPLICATION, appauthor=False)
    return as_folder(folder)
