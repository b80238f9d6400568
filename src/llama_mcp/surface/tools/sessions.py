"""The tools that look after sessions: find, read, change, fork, delete."""

from collections.abc import Callable
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult
from pydantic import Field

from llama_mcp.services import Services
from llama_mcp.surface.notifications.subscriptions import Changes
from llama_mcp.surface.results.sessions import SessionInfo, SessionList, TranscriptPage
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.surface.results.transcripts import page_text
from llama_mcp.surface.tools import hints
from llama_mcp.surface.tools.parameters import LEFT_OUT, KeptText, OptionalText, SessionId

MAX_LIST = 200
MAX_TURNS = 200

ListResult = Annotated[CallToolResult, SessionList]
PageResult = Annotated[CallToolResult, TranscriptPage]
SessionResult = Annotated[CallToolResult, SessionInfo]


def register(
    server: MCPServer[Services], services: Callable[[], Services], changes: Changes
) -> None:
    """Add the tools of this file to the server."""

    @server.tool(title="List sessions", annotations=hints.LOOKS)
    async def list_sessions(
        query: Annotated[
            OptionalText, Field(description="Words to find in titles and texts.")
        ] = "",
        limit: Annotated[int, Field(ge=1, le=MAX_LIST, description="Sessions a page.")] = 20,
        before: Annotated[OptionalText, Field(description="next_before of the page before.")] = "",
    ) -> ListResult:
        """Find earlier conversations, the one that changed last first.

        With query, match shows the piece that was found.
        """
        page = await services().archive.list_sessions(query or None, limit, before or None)
        sessions = SessionList.of(page)
        lines = [f"{len(sessions.sessions)} of {sessions.total} session(s)"]
        lines += [_line(session) for session in sessions.sessions]
        if sessions.next_before:
            lines.append(f"More: before={sessions.next_before}")
        return tool_result("\n".join(lines), sessions)

    @server.tool(title="Read a session", annotations=hints.LOOKS)
    async def read_session(
        session_id: SessionId,
        offset: Annotated[int, Field(ge=0, description="Turns to skip.")] = 0,
        limit: Annotated[int, Field(ge=1, le=MAX_TURNS, description="Turns a page.")] = 50,
    ) -> PageResult:
        """Read what was said in a session, oldest turn first; nothing is ever cut from it."""
        page = TranscriptPage.of(await services().archive.turns(session_id, offset, limit))
        return tool_result(page_text(page), page)

    @server.tool(title="Rename or redirect a session", annotations=hints.ENDS)
    async def update_session(
        session_id: SessionId,
        title: Annotated[OptionalText, Field(description="New title.")] = "",
        system_prompt: Annotated[
            KeptText, Field(description='New system prompt; "" for none.')
        ] = LEFT_OUT,
    ) -> SessionResult:
        """Change a session's title or its system prompt; what is left out stays."""
        session = await services().archive.update_session(session_id, title or None, system_prompt)
        changes.note_session(session.session_id, False)
        return _session_result("Changed", SessionInfo.of(session))

    @server.tool(title="Fork a session", annotations=hints.ADDS)
    async def fork_session(
        session_id: SessionId,
        at_turn: Annotated[
            int | None, Field(ge=1, description="Last turn to copy; all when left out.")
        ] = None,
    ) -> SessionResult:
        """Copy a session up to a turn into a new one, to go on differently from there."""
        session = await services().archive.fork_session(session_id, at_turn)
        changes.note_session(session.session_id, True)
        return _session_result("Forked", SessionInfo.of(session))

    @server.tool(title="Delete a session", annotations=hints.ENDS)
    async def delete_session(session_id: SessionId) -> SessionResult:
        """Delete a session with all its turns, for good.

        Refused while a reply is being generated in it.
        """
        session = await services().archive.delete_session(session_id)
        changes.note_session(session.session_id, True)
        return _session_result("Deleted", SessionInfo.of(session))


def _session_result(verb: str, session: SessionInfo) -> CallToolResult:
    return tool_result(f"{verb}: {_line(session)}", session)


def _line(session: SessionInfo) -> str:
    origin = f", forked from {session.forked_from}" if session.forked_from else ""
    found = f"\n  {session.match}" if session.match else ""
    return (
        f"{session.session_id}  {session.title}  ({session.turns} turns{origin}, "
        f"changed {session.updated_at_utc}){found}"
    )
