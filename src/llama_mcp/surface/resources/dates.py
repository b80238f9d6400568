"""When resources last changed, for the list of resources; told where it is known."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from mcp.types import Annotations, Resource

from llama_mcp.observing.last_changes import read_last_changes
from llama_mcp.surface.resources.uris import CONFIG, LOG, SESSIONS, STATUS


def dated(
    resources: Iterable[Resource], transcripts: Sequence[Resource], runs_dir: Path
) -> list[Resource]:
    """Return the resources with the times of their last changes.

    Args:
        resources: those that are always there.
        transcripts: the newest sessions', the newest first.
        runs_dir: where runs of llama-server are recorded.
    """
    changes = read_last_changes(runs_dir)
    times = {STATUS: changes.state_at_utc, CONFIG: changes.state_at_utc, LOG: changes.log_at_utc}
    if transcripts and (newest := transcripts[0].annotations):
        times[SESSIONS] = newest.last_modified
    return [_dated(resource, times.get(str(resource.uri))) for resource in resources]


def _dated(resource: Resource, time: str | None) -> Resource:
    if time is None:
        return resource
    annotations = resource.annotations or Annotations()
    update = {"annotations": annotations.model_copy(update={"last_modified": time})}
    return resource.model_copy(update=update)
