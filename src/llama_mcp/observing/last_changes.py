"""When the newest run of llama-server last changed its state and its log; reads file times only."""

from dataclasses import dataclass
from pathlib import Path

from llama_mcp.observing.file_times import times_of_run


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
    except OSError:  # the run is being cleared away
        return LastChanges()
    return LastChanges() if run is None else LastChanges(*times_of_run(run.folder))
