"""The MCP server: tools, resources and prompts over the services, and failures in words."""

import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cached_property, partial
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, get_args

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp.types import (
    CallToolResult,
    GetPromptResult,
    InputRequiredResult,
    Resource,
    Tool,
)
from pydantic import AnyUrl, BaseModel

from llama_mcp.errors import LlamaMCPError, Words
from llama_mcp.services import Services, open_services
from llama_mcp.sessions.changes import SessionMark
from llama_mcp.settings import Settings, inherited_environment
from llama_mcp.surface.client_folders import ClientFolders
from llama_mcp.surface.completions import Completions
from llama_mcp.surface.failures import (
    TOOL_WORDS,
    check_names,
    explain_prompt_failure,
    explain_resource_failure,
    explain_tool_failure,
    prompt_arguments,
    unknown_tool,
    words_of,
)
from llama_mcp.surface.notifications.llama_server_watcher import LlamaServerWatcher
from llama_mcp.surface.notifications.model_watcher import ModelWatcher
from llama_mcp.surface.notifications.session_watcher import SessionWatcher
from llama_mcp.surface.notifications.subscriptions import Subscriptions
from llama_mcp.surface.prompts.prompts import Prompts
from llama_mcp.surface.resources.dates import dated
from llama_mcp.surface.resources.llama_server import LlamaServerResources
from llama_mcp.surface.resources.models import ModelResources
from llama_mcp.surface.resources.sessions import SessionResources, newest_transcripts
from llama_mcp.surface.tools.catalogue import compact_catalogue, docstring_of
from llama_mcp.surface.tools.conversation import ConversationTools
from llama_mcp.surface.tools.files import FileTools
from llama_mcp.surface.tools.lifecycle import LifecycleTools
from llama_mcp.surface.tools.models import ModelTools
from llama_mcp.surface.tools.observing import ObservingTools
from llama_mcp.surface.tools.ranking import RankingTools
from llama_mcp.surface.tools.sessions import SessionTools
from llama_mcp.toolsets import INSTRUCTIONS, TOOLS

logger = logging.getLogger(__name__)

NAME = "llama-mcp"
PURPOSE = (
    "A local language model on the user's machine, run by llama.cpp: private and free, for "
    "bounded work such as summaries, extraction and drafts."
)


def instructions_of(toolsets: Collection[str]) -> str:
    """Return what a model is told of the server that is offered these sets of tools."""
    return " ".join([PURPOSE, *(INSTRUCTIONS[name] for name in INSTRUCTIONS if name in toolsets)])


class LlamaMCPServer(MCPServer[Services]):
    """The SDK's server, with our failures in words and our schemas made small."""

    services: Services | None = None
    offered: frozenset[str] = TOOLS
    """The tools of ours that clients are offered; set before these are added."""
    words: Words = TOOL_WORDS
    """What its clients can do next."""
    subscriptions: Subscriptions | None = None
    _parameters: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    _catalogue: Sequence[Tool] = ()

    @cached_property
    def _results(self) -> dict[str, type[BaseModel]]:
        """What each of our tools gives, in the order in which they are listed."""
        return {}

    @cached_property
    def _unmade(self) -> dict[str, Callable[[], None]]:
        """What makes those of our tools that nobody has called or listed yet."""
        return {}

    def add_tool(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Add a tool; one of ours is made when it is called or listed.

        The SDK makes a model and schemas of each tool at once: for all of ours that takes as long
        as a tenth of the SDK's import, and the first call waits for it.
        """
        kwargs["description"] = kwargs.get("description") or docstring_of(fn)
        returned = get_args(getattr(fn, "__annotations__", {}).get("return"))
        self._catalogue, self._parameters = (), {}
        if len(returned) == 2 and returned[0] is CallToolResult:
            if fn.__name__ not in TOOLS:
                raise ValueError(f"{fn.__name__} is in none of the toolsets")
            if fn.__name__ not in self.offered:
                return
            self._results[fn.__name__] = returned[1]
            kwargs["structured_output"] = False
            self._unmade[fn.__name__] = partial(super().add_tool, fn, *args, **kwargs)
        else:
            super().add_tool(fn, *args, **kwargs)

    def current_services(self) -> Services:
        """Return the services; there are none outside the server's lifespan.

        Tools and resources are given this method and not the lifespan's context: SDK 2.3 refuses a
        Context in a resource whose URI has no parameter.
        """
        if self.services is None:
            raise RuntimeError("the server is not serving")
        return self.services

    def announce_shutdown(self) -> None:
        """Let turns know that the process ends, so that they are not taken for cancelled.

        Clients are told of no change any more.
        """
        if self.subscriptions is not None:
            self.subscriptions.end()
        if self.services is not None:
            self.services.announce_shutdown()

    async def announce_what_there_is(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Leave prompts out of the capabilities when none is offered; the SDK always has them."""
        result = await call_next(ctx)
        if (
            ctx.method in ("initialize", "server/discover")
            and isinstance(result, dict)
            and not await self.list_prompts()
        ):
            result["capabilities"].pop("prompts", None)
        return result

    async def list_tools(self) -> list[Tool]:
        """Return the tools with compacted descriptions and schemas."""
        if not self._catalogue:
            self._make(*self._unmade)
            schemas = {model: model.model_json_schema() for model in set(self._results.values())}
            results = {name: schemas[model] for name, model in self._results.items()}
            self._catalogue = compact_catalogue(
                tool.model_copy(
                    update={"output_schema": results.get(tool.name, tool.output_schema)}
                )
                for tool in sorted(await super().list_tools(), key=self._place)
            )
        return list(self._catalogue)

    async def _parameters_of(self, name: str) -> Mapping[str, Any]:
        if name not in self._parameters:
            self._make(*({name} & self._unmade.keys()))
            made = await super().list_tools()
            self._parameters = {tool.name: tool.input_schema["properties"] for tool in made}
        if name not in self._parameters:
            raise unknown_tool(name, [tool.name for tool in await self.list_tools()])
        return self._parameters[name]

    def _make(self, *names: str) -> None:
        for name in names:
            self._unmade.pop(name)()

    def _place(self, tool: Tool) -> int:
        names = list(self._results)
        return names.index(tool.name) if tool.name in names else len(names)

    async def list_resources(self) -> list[Resource]:
        """Return the resources that are always there, and the newest sessions' transcripts."""
        always_there = await super().list_resources()
        if self.services is None:
            return always_there
        transcripts: list[Resource] = []
        try:
            transcripts = await newest_transcripts(self.services)
        except LlamaMCPError as error:
            # The rest of the list is right without them; reading a session says what is wrong.
            logger.warning("Sessions are missing from the list of resources: %s", error)
        with suppress(LlamaMCPError):  # without a home nothing has a date
            always_there = dated(always_there, transcripts, self.services.settings.runs_dir)
        return [*always_there, *transcripts]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Services, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; what fails is raised as a ToolError that says what to do."""
        check_names(name, arguments, await self._parameters_of(name))
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as failure:
            raise explain_tool_failure(failure, self.words) from failure.__cause__

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Services, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """Read a resource; what fails is raised as a ResourceError that says what to do."""
        try:
            return await super().read_resource(uri, context)
        except ResourceError as failure:
            raise explain_resource_failure(failure, self.words) from failure.__cause__

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        context: Context[Services, Any] | None = None,
    ) -> GetPromptResult | InputRequiredResult:
        """Get a prompt; the SDK takes a wrong name or argument for a bug (code 0, a traceback)."""
        given = prompt_arguments(name, arguments or {}, await self.list_prompts())
        try:
            return await super().get_prompt(name, given, context)
        except ValueError as failure:  # the SDK makes one of whatever a prompt raises
            raise explain_prompt_failure(failure, self.words) from failure.__cause__


def build_server(
    settings: Settings,
    environment: Mapping[str, str] | None = None,
    list_told: SessionMark | None = None,
) -> LlamaMCPServer:
    """Return the server, ready to be served; nothing is opened before its lifespan begins.

    Args:
        settings: the operator's.
        environment: what llama-server's environment is built from; None takes our own.
        list_told: the state of the archive that the client's list of resources shows, if it was
            told one before.
    """
    inherited = inherited_environment() if environment is None else environment

    @asynccontextmanager
    async def lifespan(_: MCPServer[Services]) -> AsyncIterator[Services]:
        async with (
            open_services(
                settings,
                inherited,
                on_session_change=session_watcher.note,
                on_llama_server_change=llama_server_watcher.touch,
            ) as opened,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(subscriptions.tell)
            server.services = opened
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
        middleware=[subscriptions, client_folders],
    )
    server.middleware.append(server.announce_what_there_is)
    server.offered, server.words = settings.offered_tools, words_of(settings)
    services = server.current_services
    llama_server_watcher = LlamaServerWatcher(subscriptions, services)
    model_watcher = ModelWatcher(subscriptions, services)
    session_watcher = SessionWatcher(subscriptions, services, list_told)
    server.subscriptions = subscriptions
    LifecycleTools(services, server.words).register(server)
    conversation = ConversationTools(services, server.offered, client_folders)
    conversation.register(server)
    FileTools(services, client_folders, conversation.telling).register(server)
    SessionTools(services).register(server)
    ModelTools(services).register(server)
    RankingTools(services, client_folders).register(server)
    ObservingTools(services).register(server)
    Prompts(services, server.offered).register(server)
    Completions(services, client_folders).register(server)
    LlamaServerResources(services, server.words).register(server)
    ModelResources(services).register(server)
    SessionResources(services).register(server)
    return server
