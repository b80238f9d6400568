"""When resources last changed, for the list of resources; told where it is known."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from mcp.types import Annotations, Resource

from llama_mcp.surface.resources.llama_server import CONFIG, LOG, STATUS
from llama_mcp.surface.resources.sessions import INDEX


def dated(
    resources: Iterable[Resource], transcripts: Sequence[Resource], runs_dir: Path
) -> list[Resource]:
    """Return the resources with the times of their last changes.

    Args:
        resources: those that are always there.
        transcripts: the newest sessions', the newest first.
        runs_dir: where runs of llama-server are recorded.
    """
    try:
        times = _last_changes(runs_dir)
    except OSError:  # a run that is cleared away meanwhile; the list is right without
        times = {}
    newest = transcripts[0].annotations if transcripts else None
    if newest is not None and newest.last_modified is not None:
        times[INDEX] = newest.last_modified
    return [_dated(resource, times.get(str(resource.uri))) for resource in resources]


def _dated(resource: Resource, time: str | None) -> Resource:
    if time is None:
        return resource
    annotations = resource.annotations or Annotations()
    update = {"annotations": annotations.model_copy(update={"last_modified": time})}
    return resource.model_copy(update=update)


def _last_changes(runs_dir: Path) -> dict[str, str]:
    """Return when the newest run last changed its state, and its log; empty without one."""
    # Imported here: clients ask for the list as they connect.
    from llama_mcp.llama_server.runs.run import current_run

    run = current_run(runs_dir)
    if run is None:
        return {}
    log_name = run.log_path.name
    records = [path for path in run.folder.iterdir() if not path.name.startswith(log_name)]
    changed_at = _iso(max(path.stat().st_mtime for path in records if path.is_file()))
    times = {STATUS: changed_at, CONFIG: changed_at}
    if run.log_path.exists():
        times[LOG] = _iso(run.log_path.stat().st_mtime)
    return times


def _iso(timestamp: float) -> str:
    time = datetime.fromtimestamp(timestamp, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
