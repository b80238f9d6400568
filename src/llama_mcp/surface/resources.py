"""The resources: what llama-server is doing, and what was said."""

import json
from collections.abc import Callable

from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel

from llama_mcp.llama_server.metrics import parse_metrics
from llama_mcp.services import Services
from llama_mcp.sessions.records import Turn
from llama_mcp.sessions.texts import clean_text
from llama_mcp.surface.results import structure_of
from llama_mcp.surface.transcripts import transcript

JSON = "application/json"
MARKDOWN = "text/markdown"
TURNS_PER_READ = 200


def register(server: MCPServer[Services], services: Callable[[], Services]) -> None:
    """Add the resources to the server."""

    @server.resource("llama://server/status", name="server-status", title="Status", mime_type=JSON)
    async def server_status() -> str:
        """What llama-server is doing: the same as the tool status."""
        return _json(await services().supervisor.status())

    @server.resource(
        "llama://server/config", name="server-config", title="Settings", mime_type=JSON
    )
    async def server_config() -> str:
        """The settings of llama-server: the same as the tool get_config."""
        return _json(await services().supervisor.config())

    @server.resource(
        "llama://server/metrics", name="server-metrics", title="Metrics", mime_type=JSON
    )
    async def server_metrics() -> str:
        """Tokens, rates and requests of the running llama-server since it was started."""
        supervisor = services().supervisor
        text = await supervisor.metrics_text()
        status = await supervisor.status()
        return _json(parse_metrics(text, status.model or "unknown"))

    @server.resource(
        "llama://sessions/{session_id}",
        name="session-transcript",
        title="Transcript",
        mime_type=MARKDOWN,
    )
    async def session_transcript(session_id: str) -> str:
        """Everything that was said in a session, as Markdown."""
        archive = services().archive
        session = await archive.session(session_id)
        turns: list[Turn] = []
        while len(turns) < session.turn_count:
            page = await archive.turns(session.session_id, len(turns), TURNS_PER_READ)
            if not page.turns:
                break
            turns += page.turns
        return clean_text(transcript(session, tuple(turns)))


def _json(content: BaseModel) -> str:
    return json.dumps(structure_of(content), ensure_ascii=False, indent=2)
