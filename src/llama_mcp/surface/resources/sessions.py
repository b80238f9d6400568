"""The resources that show what was said: sessions and their transcripts."""

from collections.abc import Callable

from mcp.server.mcpserver import MCPServer
from mcp.types import Annotations, Resource

from llama_mcp.services import Services
from llama_mcp.sessions.records import ArchivedTurn, Session
from llama_mcp.sessions.texts import clean_text
from llama_mcp.surface.resources.uris import (
    SESSION_DATA_TEMPLATE,
    SESSION_TEMPLATE,
    SESSIONS,
    session_uris,
)
from llama_mcp.surface.results.tool_results import JSON, json_text, structure_of
from llama_mcp.surface.results.transcripts import transcript

MARKDOWN = "text/markdown"
TURNS_PER_READ = 200
SESSIONS_IN_INDEX = 100
# Enough to pick from; llama://sessions and list_sessions have the rest.
TRANSCRIPTS_LISTED = 20
FOR_ALL = Annotations(audience=["user", "assistant"], priority=0.6)


class SessionResources:
    """The index of sessions, and each session's transcript."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def register(self, server: MCPServer[Services]) -> None:
        """Add the resources to the server."""
        for uri, name, title, mime_type, read in (
            (SESSIONS, "sessions", "Sessions", JSON, self.index),
            (SESSION_DATA_TEMPLATE, "session-data", "Transcript as data", JSON, self.data),
            (SESSION_TEMPLATE, "session-transcript", "Transcript", MARKDOWN, self.transcript),
        ):
            server.resource(uri, name=name, title=title, mime_type=mime_type, annotations=FOR_ALL)(
                read
            )

    async def index(self) -> str:
        """The sessions that changed last, newest first: the same as the tool list_sessions."""
        page = await self._services().archive.list_sessions(limit=SESSIONS_IN_INDEX)
        return json_text(page)

    async def data(self, session_id: str) -> str:
        """Everything that was said in a session and all figures, as JSON."""
        session, turns = await self._whole_session(session_id)
        data = structure_of(session) | {"turns": [structure_of(turn) for turn in turns]}
        return json_text(data)

    async def transcript(self, session_id: str) -> str:
        """Everything that was said in a session, as Markdown."""
        return clean_text(transcript(*await self._whole_session(session_id)))

    async def _whole_session(self, session_id: str) -> tuple[Session, list[ArchivedTurn]]:
        archive = self._services().archive
        page = await archive.turns(session_id, 0, TURNS_PER_READ)
        turns = list(page.turns)
        while page.turns and len(turns) < page.total:
            page = await archive.turns(session_id, len(turns), TURNS_PER_READ)
            turns += page.turns
        return page.session, turns


async def newest_transcripts(services: Services) -> list[Resource]:
    """Return the newest sessions' transcripts, as entries of the list of resources.

    No turn is read for it: clients list resources as they connect, and a session may be long. An
    archive that does not exist yet is not created either.
    """
    if not services.settings.archive_path.exists():
        return []
    page = await services.archive.list_sessions(limit=TRANSCRIPTS_LISTED)
    return [_entry(session) for session in page.sessions]


def _entry(session: Session) -> Resource:
    uri, _ = session_uris(session.session_id)
    return Resource(
        uri=uri,
        name=f"session-{session.session_id}",
        title=session.title,
        description=f"Transcript of {session.turns} turn(s).",
        mime_type=MARKDOWN,
        annotations=Annotations(last_modified=session.updated_at_utc),
    )
