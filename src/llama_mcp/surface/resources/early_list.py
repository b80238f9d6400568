"""The list of resources before the SDK is there: what is always there, and the newest sessions.

Made to be imported quickly: only the standard library and platformdirs.
"""

import json
from typing import Any

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.home_folders import (
    archive_in,
    data_folder,
    home_of_environment,
    runs_in,
    state_folder,
)
from llama_mcp.observing.file_times import plain_run_times
from llama_mcp.sessions.sqlite.newest import read_newest_sessions
from llama_mcp.surface.resources.listing import TRANSCRIPTS_LISTED, times_by_uri, transcript_entry


def complete_list(listed: str) -> tuple[str, object] | None:
    """Return the list of resources as it is now, and which state of the archive it shows.

    Args:
        listed: the result of `resources/list` without sessions, as JSON.

    Returns:
        The result as JSON and a mark of the archive (`Mark`, sessions/sqlite/newest.py); None when
        anything is not as it mostly is, and the real server has to look.
    """
    try:
        home = home_of_environment()
        read = read_newest_sessions(archive_in(data_folder(home)), TRANSCRIPTS_LISTED, LOCAL_OWNER)
        state_at, log_at = plain_run_times(runs_in(state_folder(home)))
    except (LookupError, OSError, RuntimeError, ValueError):
        return None
    if read is None:
        return None
    sessions, mark = read
    times = times_by_uri(state_at, log_at, sessions[0][-1] if sessions else None)
    result = json.loads(listed)
    always_there = [_dated(entry, times.get(entry["uri"])) for entry in result["resources"]]
    result["resources"] = [*always_there, *(transcript_entry(*session) for session in sessions)]
    return json.dumps(result, ensure_ascii=False, separators=(",", ":")), mark


def _dated(entry: dict[str, Any], time: str | None) -> dict[str, Any]:
    if time is None:
        return entry
    annotations = {**entry.get("annotations", {}), "lastModified": time}
    return {**entry, "annotations": dict(sorted(annotations.items()))}
