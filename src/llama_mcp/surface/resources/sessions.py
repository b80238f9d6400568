"""The resources that show what was said: sessions and their transcripts."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mcp.server.mcpserver import MCPServer
from mcp.types import Annotations, Resource

from llama_mcp.services import Services
from llama_mcp.sessions.records import ArchivedTurn, Session
from llama_mcp.sessions.texts import clean_text
from llama_mcp.surface.results.tool_results import JSON, json_text, structure_of
from llama_mcp.surface.results.transcripts import transcript

if TYPE_CHECKING:
    from llama_mcp.sessions.archive import Archive

INDEX = "llama://sessions"
MARKDOWN = "text/markdown"
TURNS_PER_READ = 200
SESSIONS_IN_INDEX = 100
# Enough to pick from; llama://sessions and list_sessions have the rest.
TRANSCRIPTS_LISTED = 20
FOR_ALL = Annotations(audience=["user", "assistant"], priority=0.6)


def register(server: MCPServer[Services], services: Callable[[], Services]) -> None:
    """Add the resources to the server."""

    @server.resource(INDEX, name="sessions", title="Sessions", mime_type=JSON, annotations=FOR_ALL)
    async def session_index() -> str:
        """The sessions that changed last, newest first: the same as the tool list_sessions."""
        return json_text(await services().archive.list_sessions(limit=SESSIONS_IN_INDEX))

    # Before the Markdown one, whose template would take ".json" for part of the id.
    @server.resource(
        "llama://sessions/{session_id}.json",
        name="session-data",
        title="Transcript as data",
        mime_type=JSON,
        annotations=FOR_ALL,
    )
    async def session_data(session_id: str) -> str:
        """Everything that was said in a session and all figures, as JSON."""
        session, turns = await _whole_session(services().archive, session_id)
        data = structure_of(session) | {"turns": [structure_of(turn) for turn in turns]}
        return json_text(data)

    @server.resource(
        "llama://sessions/{session_id}",
        name="session-transcript",
        title="Transcript",
        mime_type=MARKDOWN,
        annotations=FOR_ALL,
    )
    async def session_transcript(session_id: str) -> str:
        """Everything that was said in a session, as Markdown."""
        return clean_text(transcript(*await _whole_session(services().archive, session_id)))


async def recent_transcripts(services: Services) -> list[Resource]:
    """Return the newest sessions' transcripts, as entries of the list of resources.

    An archive that does not exist yet is not created for it: clients list resources as they
    connect.
    """
    if not services.settings.archive_path.exists():
        return []
    page = await services.archive.list_sessions(limit=TRANSCRIPTS_LISTED)
    return [await _entry(services.archive, session) for session in page.sessions]


async def _entry(archive: "Archive", session: Session) -> Resource:
    text = clean_text(transcript(*await _whole_session(archive, session.session_id)))
    return Resource(
        uri=f"llama://sessions/{session.session_id}",
        name=f"session-{session.session_id}",
        title=session.title,
        description=f"Transcript of {session.turns} turn(s).",
        mime_type=MARKDOWN,
        size=len(text.encode()),
        annotations=Annotations(last_modified=session.updated_at_utc),
    )


async def _whole_session(archive: "Archive", session_id: str) -> tuple[Session, list[ArchivedTurn]]:
    page = await archive.turns(session_id, 0, TURNS_PER_READ)
    turns = list(page.turns)
    while page.turns and len(turns) < page.total:
        page = await archive.turns(session_id, len(turns), TURNS_PER_READ)
        turns += page.turns
    return page.session, turns
