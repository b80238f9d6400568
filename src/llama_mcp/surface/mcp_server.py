"""The SDK's server with what is ours: failures in words, small schemas, and what each may use."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, get_args

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp.types import (
    CallToolResult,
    GetPromptResult,
    InputRequiredResult,
    Prompt,
    Resource,
    ResourceTemplate,
    Tool,
)
from pydantic import AnyUrl, BaseModel

from llama_mcp.callers import LOCAL, Caller, Scope
from llama_mcp.errors import LlamaMCPError, Words
from llama_mcp.services import Services
from llama_mcp.settings import Settings
from llama_mcp.surface import scopes
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.failures import (
    check_names,
    explain_prompt_failure,
    explain_resource_failure,
    explain_tool_failure,
    prompt_arguments,
    unknown_tool,
)
from llama_mcp.surface.notifications.session_watcher import SessionWatcher
from llama_mcp.surface.resources.dates import dated
from llama_mcp.surface.resources.sessions import newest_transcripts
from llama_mcp.surface.results.discretion import Discretion
from llama_mcp.surface.tools.catalogue import compact_catalogue, docstring_of
from llama_mcp.toolsets import INSTRUCTIONS, TOOLS

logger = logging.getLogger(__name__)

PURPOSE = (
    "A local language model on the user's machine, run by llama.cpp: private and free, for "
    "bounded work such as summaries, extraction and drafts."
)


def instructions_of(toolsets: Collection[str], caller: Caller = LOCAL) -> str:
    """Return what a model is told of the server that is offered these sets of tools.

    What names a tool that its caller may not use is left out.
    """
    told = [INSTRUCTIONS[name] for name in INSTRUCTIONS if name in toolsets]
    barred = [tool for tool in TOOLS if not scopes.may_use(caller, tool)]
    return " ".join([PURPOSE, *(text for text in told if not any(map(text.count, barred)))])


class LlamaMCPServer(MCPServer[Services]):
    """The SDK's server, with our failures in words and our schemas made small."""

    services: Services | None = None
    offered: frozenset[str] = TOOLS
    """The tools of ours that clients are offered; set before these are added."""
    settings_of_operator: Settings
    never_ends: bool = False
    """It serves whoever comes, and does not end with a client; set before it is served."""
    session_watcher: SessionWatcher | None = None
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

    def words(self) -> Words:
        """Return what the caller can do next."""
        return scopes.words_of(self.settings_of_operator, current_caller())

    def current_services(self) -> Services:
        """Return the services; there are none outside the server's lifespan.

        Tools and resources are given this method and not the lifespan's context: SDK 2.3 refuses a
        Context in a resource whose URI has no parameter.
        """
        if self.services is None:
            raise RuntimeError("the server is not serving")
        return self.services

    def announce_shutdown(self) -> None:
        """Let turns know that the process ends, so that they are not taken for cancelled."""
        if self.services is not None:
            self.services.announce_shutdown()

    async def tell_rest(self) -> None:
        """Tell clients of changes that they were not told of yet: nobody can be told later."""
        if self.session_watcher is not None:
            await self.session_watcher.tell_rest()

    async def announce_what_there_is(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Leave out what the caller is not offered, where the SDK always has it."""
        result = await call_next(ctx)
        if ctx.method in ("initialize", "server/discover") and isinstance(result, dict):
            if not await self.list_prompts():
                result["capabilities"].pop("prompts", None)
            if not current_caller().may(Scope.ADMIN):
                toolsets = self.settings_of_operator.toolsets
                result["instructions"] = instructions_of(toolsets, current_caller())
        return result

    async def list_tools(self) -> list[Tool]:
        """Return the tools that the caller may use, with compacted descriptions and schemas."""
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
        return scopes.tools_for(current_caller(), self._catalogue)

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
        always_there = scopes.resources_for(current_caller(), await super().list_resources())
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

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """Return the templates of resources that the caller may read."""
        return scopes.templates_for(current_caller(), await super().list_resource_templates())

    async def list_prompts(self) -> list[Prompt]:
        """Return the prompts about tools that the caller may use."""
        prompts, caller = await super().list_prompts(), current_caller()
        return [each for each in prompts if caller.may(scopes.scope_of_prompt(each.name))]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Services, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; what fails is raised as a ToolError that says what to do."""
        taken, caller = await self._parameters_of(name), current_caller()
        try:
            with _as(ToolError, name):
                scopes.check_call(caller, name, arguments)
                arguments = dict(scopes.arguments_for(caller, name, arguments))
                check_names(name, arguments, scopes.parameters_for(caller, name, taken))
                await self._check_model(scopes.model_started_by(name, arguments))
            return await super().call_tool(name, arguments, context)
        except ToolError as failure:
            told = explain_tool_failure(failure, self.words(), self._discreetly())
            raise told from failure.__cause__

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Services, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """Read a resource; what fails is raised as a ResourceError that says what to do."""
        try:
            with _as(ResourceError, str(uri)):
                scopes.check_uri(current_caller(), str(uri))
                await self._check_model(scopes.model_in_uri(str(uri)))
            return await super().read_resource(uri, context)
        except ResourceError as failure:
            told = explain_resource_failure(failure, self.words(), self._discreetly())
            raise told from failure.__cause__

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
            told = explain_prompt_failure(failure, self.words(), self._discreetly())
            raise told from failure.__cause__

    async def _check_model(self, name: str | None) -> None:
        """Raise a LlamaMCPError for a model that is no known one, where only such may be named."""
        if name is not None and not current_caller().may(Scope.ADMIN):
            await self.current_services().known_models.check_is_name(name)

    def _discreetly(self) -> Callable[[str], str] | None:
        """Return what leaves out of a text what the caller may not see; None for who sees all."""
        discretion = Discretion.towards(current_caller(), self.settings_of_operator)
        return None if discretion.sees_machine else discretion.text


@contextmanager
def _as(kind: type[ToolError | ResourceError], what: str) -> Iterator[None]:
    """Raise what is refused as the SDK raises what fails."""
    try:
        yield
    except LlamaMCPError as error:
        raise kind(what) from error
