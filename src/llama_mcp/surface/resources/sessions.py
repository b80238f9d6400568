"""The resources that show what was said: sessions and their transcripts."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.types import Annotations, Resource
from pydantic import Field

from llama_mcp.observing.lean_data import structure_of
from llama_mcp.services import Services
from llama_mcp.sessions.records import ArchivedTurn, Session
from llama_mcp.sessions.texts import clean_text
from llama_mcp.sessions.transcript import transcript
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.resources.listing import MARKDOWN, TRANSCRIPTS_LISTED, transcript_entry
from llama_mcp.surface.resources.uris import (
    SESSION_DATA_PAGE_TEMPLATE,
    SESSION_DATA_TEMPLATE,
    SESSION_PAGE_TEMPLATE,
    SESSION_TEMPLATE,
    SESSIONS,
    session_uris,
)
from llama_mcp.surface.results.discretion import discretion_of
from llama_mcp.surface.results.pages import page_of, turns_before, with_short_prompt
from llama_mcp.surface.results.tool_results import JSON, json_text
from llama_mcp.surface.results.unfinished import list_with_unfinished, with_unfinished

TURNS_PER_READ = 200
SESSIONS_IN_INDEX = 100
Offset = Annotated[int, Field(ge=0, le=2**53)]
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
            (
                SESSION_DATA_PAGE_TEMPLATE,
                "session-data-page",
                "Page of a transcript as data",
                JSON,
                self.data_page,
            ),
            (
                SESSION_PAGE_TEMPLATE,
                "session-transcript-page",
                "Page of a transcript",
                MARKDOWN,
                self.transcript_page,
            ),
        ):
            server.resource(uri, name=name, title=title, mime_type=mime_type, annotations=FOR_ALL)(
                read
            )

    async def index(self) -> str:
        """The sessions that changed last, newest first."""
        services = self._services()
        page = await services.archive.list_sessions(
            limit=SESSIONS_IN_INDEX, owner=current_caller().owner
        )
        return json_text(await list_with_unfinished(services, page))

    async def data(self, session_id: str) -> str:
        """Everything that was said in a session and all figures, as JSON; long ones in pages."""
        return await self.data_page(session_id)

    async def transcript(self, session_id: str) -> str:
        """Everything that was said in a session, as Markdown; long ones in pages."""
        return await self.transcript_page(session_id)

    async def data_page(self, session_id: str, offset: Offset = 0) -> str:
        """A page of a long session as JSON; its `next` is the URI of the page after it."""
        session, turns, next_offset = await self._page(session_id, offset)
        data = structure_of(session) | {"turns": [structure_of(turn) for turn in turns]}
        if next_offset:
            data["next"] = f"{session_uris(session.session_id)[1]}?offset={next_offset}"
        return json_text(data)

    async def transcript_page(self, session_id: str, offset: Offset = 0) -> str:
        """A page of a long session as Markdown; its last line has the URI of the page after it."""
        session, turns, next_offset = await self._page(session_id, offset)
        uri = f"{session_uris(session.session_id)[0]}?offset={next_offset}"
        return clean_text(transcript(session, turns, uri if next_offset else None))

    async def _page(
        self, session_id: str, offset: int
    ) -> tuple[Session, list[ArchivedTurn], int | None]:
        """Return the session, the turns of the page, and the offset of the next if there is one."""
        archive, owner = self._services().archive, current_caller().owner
        await self._services().read_on(session_id, owner=owner)
        read = partial(archive.turns, session_id, limit=TURNS_PER_READ, owner=owner)
        page = await read(offset=turns_before(offset))
        shown, next_offset, used_bytes = page_of(page.turns, offset)
        # All that was read fits, and there is more.
        while shown and next_offset == page.next_offset:
            page = await read(offset=next_offset)
            more, next_offset, used_bytes = page_of(page.turns, next_offset, used_bytes)
            shown += more
        is_last = next_offset == page.total or not shown
        shown = [*discretion_of(self._services()).turns(shown)]
        # A system prompt is told once, at the beginning.
        session = page.session.model_copy(update={"system_prompt": None} if offset else {})
        session = await with_unfinished(self._services(), session)
        return with_short_prompt(session), shown, None if is_last else next_offset


async def newest_transcripts(services: Services) -> list[Resource]:
    """Return the newest sessions' transcripts, as entries of the list of resources.

    No turn is read for it: clients list resources as they connect, and a session may be long. An
    archive that does not exist yet is not created either.
    """
    if not services.archive.exists():
        return []
    sessions = await services.archive.newest_sessions(
        TRANSCRIPTS_LISTED, owner=current_caller().owner
    )
    return [Resource.model_validate(transcript_entry(*session)) for session in sessions]
