"""When the newest run of llama-server last changed its state and its log; reads file times only."""

from dataclasses import dataclass
from pathlib import Path

from llama_mcp.sessions.texts import utc_text


@dataclass(frozen=True, slots=True)
class LastChanges:
    """Times in UTC, ISO 8601, ending in Z; None where nothing is known."""

    state_at_utc: str | None = None
    log_at_utc: str | None = None


def read_last_changes(runs_dir: Path) -> LastChanges:
    """Return when the run that counts changed last; nothing when there never was one."""
    # Imported here: clients ask for the list of resources as they connect.
    from llama_mcp.llama_server.runs.run import current_run

    try:
        run = current_run(runs_dir)
        if run is None:
            return LastChanges()
        log_name = run.log_path.name
        records = [path for path in run.folder.iterdir() if not path.name.startswith(log_name)]
        state_at = max(path.stat().st_mtime for path in records if path.is_file())
        log_at = run.log_path.stat().st_mtime if run.log_path.exists() else None
    except OSError:  # the run is being cleared away
        return LastChanges()
    return LastChanges(utc_text(state_at), None if log_at is None else utc_text(log_at))
