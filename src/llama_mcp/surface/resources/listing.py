"""The entries of the list of resources as data, for whoever makes it: the real server, or earlier.

Members stand in the order in which the SDK writes them.
"""

from collections.abc import Mapping
from typing import Any

from llama_mcp.surface.resources.uris import CONFIG, LOG, SESSIONS, STATUS, session_uris
from llama_mcp.wording import counted

MARKDOWN = "text/markdown"
# Enough to pick from; llama://sessions and list_sessions have the rest.
TRANSCRIPTS_LISTED = 20


def transcript_entry(
    session_id: str, title: str, turns: int, updated_at_utc: str
) -> dict[str, Any]:
    """Return the entry of a session's transcript."""
    uri, _ = session_uris(session_id)
    return {
        "annotations": {"lastModified": updated_at_utc},
        "description": f"Transcript of {counted(turns, 'turn')}.",
        "mimeType": MARKDOWN,
        "name": f"session-{session_id}",
        "title": title,
        "uri": uri,
    }


def times_by_uri(
    state_at_utc: str | None, log_at_utc: str | None, newest_session_at_utc: str | None
) -> Mapping[str, str]:
    """Return when the resources that are always there last changed, where that is known."""
    times = {
        STATUS: state_at_utc,
        CONFIG: state_at_utc,
        LOG: log_at_utc,
        SESSIONS: newest_session_at_utc,
    }
    return {uri: time for uri, time in times.items() if time is not None}
