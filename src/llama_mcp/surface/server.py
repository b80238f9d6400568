"""The MCP server, put together: tools, resources, prompts and who is told what, over services."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from importlib.metadata import version

import anyio
from anyio.abc import TaskGroup
from mcp.server.mcpserver import MCPServer

from llama_mcp.opening import open_services
from llama_mcp.services import Services
from llama_mcp.sessions.changes import SessionMark
from llama_mcp.settings import Settings, inherited_environment
from llama_mcp.surface.apps import hide_page_from_others, page_extension
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.client_folders import ClientFolders
from llama_mcp.surface.completions import Completions
from llama_mcp.surface.mcp_server import LlamaMCPServer, instructions_of
from llama_mcp.surface.notifications.llama_server_watcher import LlamaServerWatcher
from llama_mcp.surface.notifications.model_watcher import ModelWatcher
from llama_mcp.surface.notifications.session_watcher import SessionWatcher
from llama_mcp.surface.notifications.subscriptions import Subscriptions
from llama_mcp.surface.prompts.prompts import Prompts
from llama_mcp.surface.resources.llama_server import LlamaServerResources
from llama_mcp.surface.resources.models import ModelResources
from llama_mcp.surface.resources.sessions import SessionResources
from llama_mcp.surface.tools.conversation import ConversationTools
from llama_mcp.surface.tools.dashboard import DashboardTools
from llama_mcp.surface.tools.files import FileTools
from llama_mcp.surface.tools.lifecycle import LifecycleTools
from llama_mcp.surface.tools.models import ModelTools
from llama_mcp.surface.tools.observing import ObservingTools
from llama_mcp.surface.tools.ranking import RankingTools
from llama_mcp.surface.tools.sessions import SessionTools

NAME = "llama-mcp"

# Shows the dashboard in a browser, served in these tasks over these services; returns its address,
# or None when there is no browser.
ShowPage = Callable[[TaskGroup, Services], Awaitable[str | None]]


def build_server(
    settings: Settings,
    environment: Mapping[str, str] | None = None,
    list_told: SessionMark | None = None,
    *,
    show_page: ShowPage | None = None,
    shared: Services | None = None,
) -> LlamaMCPServer:
    """Return the server, ready to be served; nothing is opened before its lifespan begins.

    Args:
        settings: the operator's.
        environment: what llama-server's environment is built from; None takes our own.
        list_told: the state of the archive that the client's list of resources shows, if it was
            told one before.
        show_page: shows the dashboard in a browser, for clients that cannot show it; None where
            nobody sits at this machine.
        shared: those of another server, which owns them; None opens our own.
    """
    inherited = inherited_environment() if environment is None else environment

    @asynccontextmanager
    async def lifespan(_: MCPServer[Services]) -> AsyncIterator[Services]:
        async with (
            nullcontext(shared)
            if shared is not None
            else open_services(
                settings,
                inherited,
                on_session_change=session_watcher.note,
                on_llama_server_change=llama_server_watcher.touch,
                asked_by=lambda: current_caller().owner,
                never_ends=server.never_ends,
            ) as opened,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(subscriptions.tell)
            server.services = opened
            if show_page is not None:
                dashboard.show_in_browser = partial(show_page, tasks, opened)
            tasks.start_soon(llama_server_watcher.watch)
            tasks.start_soon(session_watcher.watch)
            tasks.start_soon(model_watcher.watch)
            try:
                yield opened
            finally:
                server.services = None
                tasks.cancel_scope.cancel()

    subscriptions = Subscriptions()
    client_folders = ClientFolders()
    server = LlamaMCPServer(
        NAME,
        title="llama-mcp",
        description="A local model through llama.cpp's llama-server, with kept conversations.",
        instructions=instructions_of(settings.toolsets),
        version=version("llama-mcp"),
        lifespan=lifespan,
        log_level=settings.log_level,
        subscriptions=subscriptions.bus,
        middleware=[subscriptions, client_folders, hide_page_from_others],
        extensions=[page_extension()] if "dashboard" in settings.toolsets else [],
    )
    server.middleware.append(server.announce_what_there_is)
    server.offered, server.settings_of_operator = settings.offered_tools, settings
    services = server.current_services
    llama_server_watcher = LlamaServerWatcher(subscriptions, services)
    model_watcher = ModelWatcher(subscriptions, services)
    session_watcher = SessionWatcher(subscriptions, services, list_told)
    server.session_watcher = session_watcher
    LifecycleTools(services, server.words).register(server)
    conversation = ConversationTools(services, server.offered, client_folders)
    conversation.register(server)
    FileTools(services, client_folders, conversation.telling).register(server)
    SessionTools(services).register(server)
    ModelTools(services).register(server)
    RankingTools(services, client_folders).register(server)
    ObservingTools(services).register(server)
    dashboard = DashboardTools(services)
    dashboard.register(server)
    Prompts(services, server.offered).register(server)
    Completions(services, client_folders).register(server)
    LlamaServerResources(services, server.words).register(server)
    ModelResources(services).register(server)
    SessionResources(services).register(server)
    return server
