"""The tools of the dashboard: one that shows it to the user, and those that feed it."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from mcp.server.apps import client_supports_apps
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult
from pydantic import BaseModel, Field

from llama_mcp.observing.machine_checks import MachineChecks, check_machine
from llama_mcp.observing.snapshot import Snapshot, snapshot
from llama_mcp.services import Services
from llama_mcp.surface.apps import FOR_PAGE, OPENS_PAGE
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.results.discretion import discretion_of
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.surface.tools.parameters import READ_ONLY, OptionalText

IN_CHAT = "The dashboard is shown to the user in this chat."
IN_BROWSER = "The dashboard is open in the user's browser, at {url}."
NOT_SHOWN = "Nothing is shown here: the user runs `llama-mcp dashboard` in a terminal."

# Shows the page in the browser of the person whose machine this is; returns its address, or None
# when there is no browser.
ShowInBrowser = Callable[[], Awaitable[str | None]]


class DashboardShown(BaseModel, frozen=True):
    """Where the dashboard is, and what llama-server does."""

    message: str


ShownResult = Annotated[CallToolResult, DashboardShown]
SnapshotResult = Annotated[CallToolResult, Snapshot]
ChecksResult = Annotated[CallToolResult, MachineChecks]
Since = Annotated[OptionalText, Field(description="at_utc of the look before.")]


class DashboardTools:
    """Showing the page, and telling it what it shows."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services
        self.show_in_browser: ShowInBrowser | None = None
        """Shows the page where the client cannot; None where nobody sits at this machine."""

    def register(self, server: MCPServer[Services]) -> None:
        """Add the tools to the server."""
        for title, meta, tool in (
            ("Dashboard", OPENS_PAGE, self.open_dashboard),
            ("What the dashboard shows", FOR_PAGE, self.dashboard_snapshot),
            ("Checks for the dashboard", FOR_PAGE, self.dashboard_checks),
        ):
            server.tool(title=title, annotations=READ_ONLY, meta=meta)(tool)

    async def open_dashboard(self, ctx: Context[Services]) -> ShownResult:
        """Show the user a live page of all this."""
        services = self._services()
        status = discretion_of(services).status(await services.observer.status())
        told = f"{await self._shown(ctx)} {status.message}"
        return tool_result(told, DashboardShown(message=told))

    async def _shown(self, ctx: Context[Services]) -> str:
        if client_supports_apps(ctx):
            return IN_CHAT
        url = await self.show_in_browser() if self.show_in_browser else None
        return NOT_SHOWN if url is None else IN_BROWSER.format(url=url)

    async def dashboard_snapshot(self, since_utc: Since = "") -> SnapshotResult:
        """For the dashboard itself: what goes on, and what came since."""
        services, caller = self._services(), current_caller()
        seen = await snapshot(
            services.observer,
            services.existing_archive,
            since_utc,
            owner=caller.whose_figures,
            asker=caller.owner,
        )
        return tool_result("", discretion_of(services).snapshot(seen))

    async def dashboard_checks(self) -> ChecksResult:
        """For the dashboard itself: what `llama-mcp doctor` finds."""
        return tool_result("", await check_machine())
