"""When resources last changed, for the list of resources; told where it is known."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from mcp.types import Annotations, Resource

from llama_mcp.observing.last_changes import read_last_changes
from llama_mcp.surface.resources.listing import times_by_uri


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
    newest = transcripts[0].annotations if transcripts else None
    newest_at = newest.last_modified if newest else None
    times = times_by_uri(changes.state_at_utc, changes.log_at_utc, newest_at)
    return [_dated(resource, times.get(str(resource.uri))) for resource in resources]


def _dated(resource: Resource, time: str | None) -> Resource:
    if time is None:
        return resource
    annotations = resource.annotations or Annotations()
    update = {"annotations": annotations.model_copy(update={"last_modified": time})}
    return resource.model_copy(update=update)
