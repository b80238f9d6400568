"""What each tool, parameter, resource and prompt needs of a caller: one table.

Whatever is not of these tables is refused. What a caller may not use is not listed to it.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from mcp.types import Resource, ResourceTemplate, Tool

from llama_mcp.callers import LOCAL, Caller, Scope
from llama_mcp.copied_text import plain_text
from llama_mcp.errors import PLAIN_WORDS, ModelIsNoNameError, ScopeNeededError, Step, Words
from llama_mcp.settings import Settings
from llama_mcp.surface.failures import words_for
from llama_mcp.surface.resources.uris import (
    CONFIG,
    CONFIG_OF_MODEL,
    LOG,
    LOG_OF_MODEL,
    METRICS,
    METRICS_OF_MODEL,
    MODEL_TEMPLATE,
    MODELS,
    PAGE,
    PROMETHEUS,
    SESSION_DATA_PAGE_TEMPLATE,
    SESSION_DATA_TEMPLATE,
    SESSION_PAGE_TEMPLATE,
    SESSION_TEMPLATE,
    SESSIONS,
    SLOTS,
    SLOTS_OF_MODEL,
    STATUS,
    STATUS_OF_MODEL,
    template_of,
)
from llama_mcp.toolsets import TOOL_OF_PROMPT

TOOL_SCOPES: Mapping[str, Scope] = {
    "start_llama_server": Scope.OPERATE,
    "stop_llama_server": Scope.OPERATE,
    "status": Scope.CHAT,
    "get_config": Scope.CHAT,
    "chat": Scope.CHAT,
    "wait_for_reply": Scope.CHAT,
    "cancel_reply": Scope.CHAT,
    "run_on_files": Scope.CHAT,
    "list_sessions": Scope.CHAT,
    "read_session": Scope.CHAT,
    "update_session": Scope.CHAT,
    "fork_session": Scope.CHAT,
    "delete_session": Scope.CHAT,
    "list_models": Scope.CHAT,
    "download_model": Scope.OPERATE,
    "rank_texts": Scope.CHAT,
    "server_metrics": Scope.CHAT,
    "server_log": Scope.ADMIN,
    "open_dashboard": Scope.CHAT,
    "dashboard_snapshot": Scope.CHAT,
    "dashboard_checks": Scope.ADMIN,
}

# Those that need more than their tool: they name what the machine has, or end what others use.
PARAMETER_SCOPES: Mapping[tuple[str, str], Scope] = {
    ("start_llama_server", "llama_cpp_path"): Scope.ADMIN,
    ("start_llama_server", "port"): Scope.ADMIN,
    ("start_llama_server", "extra_args"): Scope.ADMIN,
    ("stop_llama_server", "force"): Scope.ADMIN,
}

# Parameters that name a model: a path only for admins.
MODEL_PARAMETERS: Mapping[str, str] = {
    "start_llama_server": "model_path",
    "stop_llama_server": "model",
    "status": "model",
    "get_config": "model",
    "chat": "model",
    "run_on_files": "model",
    "rank_texts": "model",
    "server_metrics": "model",
    "server_log": "model",
}

# Resources by their URIs, or by their templates.
RESOURCE_SCOPES: Mapping[str, Scope] = {
    PAGE: Scope.CHAT,
    STATUS: Scope.CHAT,
    CONFIG: Scope.CHAT,
    METRICS: Scope.CHAT,
    PROMETHEUS: Scope.ADMIN,
    SLOTS: Scope.CHAT,
    LOG: Scope.ADMIN,
    MODELS: Scope.CHAT,
    MODEL_TEMPLATE: Scope.CHAT,
    STATUS_OF_MODEL: Scope.CHAT,
    CONFIG_OF_MODEL: Scope.CHAT,
    METRICS_OF_MODEL: Scope.CHAT,
    SLOTS_OF_MODEL: Scope.CHAT,
    LOG_OF_MODEL: Scope.ADMIN,
    SESSIONS: Scope.CHAT,
    SESSION_TEMPLATE: Scope.CHAT,
    SESSION_DATA_TEMPLATE: Scope.CHAT,
    SESSION_PAGE_TEMPLATE: Scope.CHAT,
    SESSION_DATA_PAGE_TEMPLATE: Scope.CHAT,
}

# Begins like a path, or holds what no name does: told by the text alone, whatever is on the disk.
_LIKE_A_PATH = re.compile(
    r"""^[/~.$%]          # from the root, the home folder, the folder here, a variable
      | ^([A-Za-z]|file): # a drive, or the address of a file
      | \\ | \0           # what parts folders on Windows, or ends a text in C
      | ://               # an address
      | (^|/)\.\.?(/|$)   # the folder here, or the one above
    """,
    re.VERBOSE | re.IGNORECASE,
)


def words_of(settings: Settings, caller: Caller = LOCAL) -> Words:
    """Return what a client can do next, of an operator who has set this, in words."""
    offered = [tool for tool in settings.offered_tools if may_use(caller, tool)]
    words = words_for(offered, has_several_models=settings.max_models > 1)
    if not caller.may(PARAMETER_SCOPES["stop_llama_server", "force"]):
        words = {**words, Step.FORCE_STOP: f"let the operator {PLAIN_WORDS[Step.FORCE_STOP]}"}
    return words


def scope_of_prompt(name: str) -> Scope:
    """Return what a prompt needs: what its tool does; one that is no prompt of ours, nothing."""
    return TOOL_SCOPES.get(TOOL_OF_PROMPT.get(name, ""), Scope.CHAT)


def scope_of_uri(uri: str) -> Scope:
    """Return what a resource needs, by a URI of it; of what is no resource, nothing."""
    of_model = template_of(uri)
    return RESOURCE_SCOPES.get(of_model[0] if of_model else uri, Scope.CHAT)


def may_use(caller: Caller, tool: str) -> bool:
    """Tell whether a caller may use a tool; one that is no tool of ours anybody may."""
    return caller.may(TOOL_SCOPES.get(tool, Scope.CHAT))


def tools_for(caller: Caller, tools: Collection[Tool]) -> list[Tool]:
    """Return the tools that a caller may use, with the parameters that it may pass."""
    return [_for(caller, tool) for tool in tools if may_use(caller, tool.name)]


def resources_for(caller: Caller, resources: Collection[Resource]) -> list[Resource]:
    """Return the resources that a caller may read."""
    return [each for each in resources if caller.may(scope_of_uri(str(each.uri)))]


def templates_for(
    caller: Caller, templates: Collection[ResourceTemplate]
) -> list[ResourceTemplate]:
    """Return the templates of resources that a caller may read."""
    scopes = RESOURCE_SCOPES
    return [each for each in templates if caller.may(scopes.get(each.uri_template, Scope.CHAT))]


def check_call(caller: Caller, tool: str, arguments: Mapping[str, Any]) -> None:
    """Raise ScopeNeededError or ModelIsNoNameError for what a caller may not do.

    No file is looked at.
    """
    check(caller, TOOL_SCOPES.get(tool, Scope.CHAT), tool)
    for name, value in arguments.items():
        needed = PARAMETER_SCOPES.get((tool, name), Scope.CHAT)
        if not caller.may(needed) and not _is_unset(value):
            raise ScopeNeededError(f"{name} of {tool}", needed.name.lower(), _scope(caller))
    named = model_named(tool, arguments)
    if named is not None and not caller.may(Scope.ADMIN):
        check_is_name(MODEL_PARAMETERS[tool], named)


def check_uri(caller: Caller, uri: str) -> None:
    """Raise ScopeNeededError or ModelIsNoNameError for a resource that a caller may not read."""
    check(caller, scope_of_uri(uri), uri)
    model = model_in_uri(uri)
    if model is not None and not caller.may(Scope.ADMIN):
        check_is_name("name", model)


def check(caller: Caller, needed: Scope, what: str) -> None:
    """Raise ScopeNeededError for what needs a scope that a caller has not."""
    if not caller.may(needed):
        raise ScopeNeededError(what, needed.name.lower(), _scope(caller))


def model_named(tool: str, arguments: Mapping[str, Any]) -> str | None:
    """Return the model that a call names; None when it names none."""
    value = arguments.get(MODEL_PARAMETERS.get(tool, ""))
    return value if isinstance(value, str) and value.strip() else None


def check_is_name(parameter: str, text: str) -> None:
    """Raise ModelIsNoNameError for a text that looks like a path or an address."""
    if any(_LIKE_A_PATH.search(each) for each in (text.strip(), plain_text(text))):
        raise ModelIsNoNameError(parameter, text)


def arguments_for(caller: Caller, tool: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a call's arguments without those that its caller may not pass, which are unset."""
    allowed = parameters_for(caller, tool, arguments)
    return {name: arguments[name] for name in allowed}


def parameters_for(caller: Caller, tool: str, taken: Collection[str]) -> list[str]:
    """Return those of a tool's parameters that a caller may pass."""
    return [name for name in taken if caller.may(PARAMETER_SCOPES.get((tool, name), Scope.CHAT))]


def model_started_by(tool: str, arguments: Mapping[str, Any]) -> str | None:
    """Return the model that a call names, if the library is asked for it."""
    return None if tool == "stop_llama_server" else model_named(tool, arguments)


def model_in_uri(uri: str) -> str | None:
    """Return the model that a resource is about; None for every other resource."""
    of_model = template_of(uri)
    return of_model[1] if of_model else None


def _for(caller: Caller, tool: Tool) -> Tool:
    schemas = tool.input_schema.get("properties", {})
    taken = {name: schemas[name] for name in parameters_for(caller, tool.name, schemas)}
    if len(taken) == len(schemas):
        return tool
    return tool.model_copy(update={"input_schema": {**tool.input_schema, "properties": taken}})


def _scope(caller: Caller) -> str:
    return caller.scope.name.lower()


def _is_unset(value: Any) -> bool:
    return value is None or value is False or value in ("", [])
