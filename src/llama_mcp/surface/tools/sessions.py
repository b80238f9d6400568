"""The tools that look after sessions: find, read, change, fork, delete."""

from collections.abc import Callable
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult
from pydantic import Field

from llama_mcp.services import Services
from llama_mcp.sessions.records import SessionList, TranscriptPage
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.results.discretion import discretion_of
from llama_mcp.surface.results.pages import turns_before
from llama_mcp.surface.results.replies import page_structure
from llama_mcp.surface.results.session_results import (
    CHANGED,
    DELETED,
    ToldSession,
    copied,
    session_text,
    told_list,
    told_page,
    told_session,
)
from llama_mcp.surface.results.texts import list_text
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.surface.results.transcripts import cut_page, page_text
from llama_mcp.surface.results.unfinished import list_with_unfinished, with_unfinished
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
SessionResult = Annotated[CallToolResult, ToldSession]

Query = Annotated[OptionalText, Field(description="Words, or beginnings of words.")]
SessionsPerPage = Annotated[int, Field(ge=1, le=200, description="Sessions a page.")]
Before = Annotated[OptionalText, Field(description="next_before, or a date.")]
SkippedTurns = Annotated[int, Field(ge=0, description="Turns to skip, or next_offset.")]
TurnsPerPage = Annotated[int, Field(ge=1, le=200, description="Turns a page.")]
NewTitle = Annotated[OptionalText, Field(description="New title.")]
NewSystemPrompt = Annotated[TextOrUnset, Field(description='New system prompt; "" for none.')]
LastTurn = Annotated[int | None, Field(ge=0, description="Last turn to copy; 0 none, unset all.")]


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
        """Find earlier conversations, newest first.

        With query, those with all its words, else with most; match shows it.
        """
        services = self._services()
        found = await services.archive.list_sessions(
            query or None, limit, before or None, owner=current_caller().owner
        )
        told = told_list(found, query, before, services.settings.offered_tools)
        sessions = await list_with_unfinished(services, told)
        return tool_result(list_text(sessions), sessions)

    async def read_session(
        self, session_id: SessionId, offset: SkippedTurns = 0, limit: TurnsPerPage = 50
    ) -> PageResult:
        """Read what was said in a session, oldest turn first, with the figures of each turn.

        To go on, pass its session_id with a message.
        """
        services, owner = self._services(), current_caller().owner
        await services.read_on(session_id, owner=owner)
        skipped = turns_before(offset)
        read = await services.archive.turns(session_id, skipped, limit, owner=owner)
        session = await with_unfinished(services, read.session)
        read = read.model_copy(update={"session": session})
        turns = discretion_of(services).turns(read.turns)
        read = read.model_copy(update={"turns": turns})
        page = told_page(cut_page(read, offset), offset, services.settings.offered_tools)
        return tool_result(page_text(page), page_structure(page))

    async def update_session(
        self, session_id: SessionId, title: NewTitle = "", system_prompt: NewSystemPrompt = UNSET
    ) -> SessionResult:
        """Change a session's title or its system prompt; what is left out stays.

        A new system prompt has the next turn read all again.
        """
        archive = self._services().archive
        session = await archive.update_session(
            session_id, title or None, system_prompt, owner=current_caller().owner
        )
        return _session_result(told_session(session, CHANGED))

    async def fork_session(self, session_id: SessionId, at_turn: LastTurn = None) -> SessionResult:
        """Copy a session up to a turn into a new one, to go on differently."""
        services, owner = self._services(), current_caller().owner
        await services.read_on(session_id, owner=owner)
        session = await services.archive.fork_session(session_id, at_turn, owner=owner)
        note = copied(session, services.settings.offered_tools)
        return _session_result(told_session(session, note))

    async def delete_session(self, session_id: SessionId) -> SessionResult:
        """Delete a session and its turns for good.

        Refused while it generates.
        """
        services, owner = self._services(), current_caller().owner
        await services.read_on(session_id, owner=owner)
        session = await services.delete_session(session_id, owner=owner)
        return _session_result(told_session(session, DELETED))


def _session_result(session: ToldSession) -> CallToolResult:
    return tool_result(session_text(session), session)
