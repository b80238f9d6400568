"""The tools that look after sessions: find, read, change, fork, delete."""

from collections.abc import Callable
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult
from pydantic import Field

from llama_mcp.services import Services
from llama_mcp.sessions.records import Session, SessionList, TranscriptPage
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.surface.results.transcripts import cut_page, page_text
from llama_mcp.surface.tools.parameters import (
    ADDITIVE,
    DESTRUCTIVE,
    READ_ONLY,
    UNSET,
    OptionalText,
    SessionId,
    TextOrUnset,
)

ListResult = Annotated[CallToolResult, SessionList]
PageResult = Annotated[CallToolResult, TranscriptPage]
SessionResult = Annotated[CallToolResult, Session]

Query = Annotated[OptionalText, Field(description="Words to find in titles and texts.")]
SessionsPerPage = Annotated[int, Field(ge=1, le=200, description="Sessions a page.")]
Before = Annotated[OptionalText, Field(description="next_before of the page before.")]
SkippedTurns = Annotated[int, Field(ge=0, description="Turns to skip.")]
TurnsPerPage = Annotated[int, Field(ge=1, le=200, description="Turns a page.")]
NewTitle = Annotated[OptionalText, Field(description="New title.")]
NewSystemPrompt = Annotated[TextOrUnset, Field(description='New system prompt; "" for none.')]
LastTurn = Annotated[int | None, Field(ge=1, description="Last turn to copy; all when left out.")]


class SessionTools:
    """Finding, reading and changing sessions."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def register(self, server: MCPServer[Services]) -> None:
        """Add the tools to the server."""
        server.tool(title="List sessions", annotations=READ_ONLY)(self.list_sessions)
        server.tool(title="Read a session", annotations=READ_ONLY)(self.read_session)
        server.tool(title="Change a session", annotations=DESTRUCTIVE)(self.update_session)
        server.tool(title="Fork a session", annotations=ADDITIVE)(self.fork_session)
        server.tool(title="Delete a session", annotations=DESTRUCTIVE)(self.delete_session)

    async def list_sessions(
        self, query: Query = "", limit: SessionsPerPage = 20, before: Before = ""
    ) -> ListResult:
        """Find earlier conversations, the one that changed last first.

        With query, match shows the piece that was found.
        """
        archive = self._services().archive
        sessions = await archive.list_sessions(query or None, limit, before or None)
        lines = [f"{len(sessions.sessions)} of {sessions.total} session(s)"]
        lines += [_line(session) for session in sessions.sessions]
        if sessions.next_before:
            lines.append(f"More: before={sessions.next_before}")
        return tool_result("\n".join(lines), sessions)

    async def read_session(
        self, session_id: SessionId, offset: SkippedTurns = 0, limit: TurnsPerPage = 50
    ) -> PageResult:
        """Read what was said in a session, oldest turn first; nothing is ever cut from it."""
        page = cut_page(await self._services().archive.turns(session_id, offset, limit))
        return tool_result(page_text(page), page)

    async def update_session(
        self, session_id: SessionId, title: NewTitle = "", system_prompt: NewSystemPrompt = UNSET
    ) -> SessionResult:
        """Change a session's title or its system prompt; what is left out stays."""
        archive = self._services().archive
        session = await archive.update_session(session_id, title or None, system_prompt)
        return _session_result("Changed", session)

    async def fork_session(self, session_id: SessionId, at_turn: LastTurn = None) -> SessionResult:
        """Copy a session up to a turn into a new one, to go on differently from there."""
        session = await self._services().archive.fork_session(session_id, at_turn)
        return _session_result("Forked", session)

    async def delete_session(self, session_id: SessionId) -> SessionResult:
        """Delete a session with all its turns, for good.

        Refused while a reply is being generated in it.
        """
        session = await self._services().archive.delete_session(session_id)
        return _session_result("Deleted", session)


def _session_result(verb: str, session: Session) -> CallToolResult:
    return tool_result(f"{verb}: {_line(session)}", session)


def _line(session: Session) -> str:
    origin = f", forked from {session.forked_from}" if session.forked_from else ""
    found = f"\n  {session.match}" if session.match else ""
    return (
        f"{session.session_id}  {session.title}  ({session.turns} turns{origin}, "
        f"changed {session.updated_at_utc}){found}"
    )
