"""When the records and the log of a run last changed: file times only."""

import os
from pathlib import Path

from llama_mcp.keeper.run_dir import LOG
from llama_mcp.sessions.texts import utc_text


def times_of_run(folder: Path) -> tuple[str | None, str | None]:
    """Return when a run's state and its log last changed, in UTC, ISO 8601, ending in Z.

    None where nothing is known: it is being cleared away, or there is no log yet.
    """
    try:
        records = [path for path in folder.iterdir() if not path.name.startswith(LOG)]
        state_at = max(path.stat().st_mtime for path in records if path.is_file())
        log = folder / LOG
        log_at = log.stat().st_mtime if log.exists() else None
    except OSError:
        return None, None
    return utc_text(state_at), None if log_at is None else utc_text(log_at)


def plain_run_times(runs_dir: Path) -> tuple[str | None, str | None]:
    """Return the same of the run that counts here, for whoever cannot wait for pydantic.

    Raises:
        LookupError: the records do not say plainly which one counts.
        OSError: they cannot be read.
    """
    if not os.path.isdir(runs_dir):
        return None, None
    # Imported here: most of the time that this takes without a run.
    from llama_mcp.llama_server.runs.plain_run import plain_current_folder

    folder = plain_current_folder(runs_dir)
    return times_of_run(folder) if folder else (None, None)
