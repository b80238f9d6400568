"""The page as an MCP App: the resource that hosts show in a chat, and who is told of it.

Source: the extension io.modelcontextprotocol/ui, 2026-01-26 (SEP-1865).
"""

from collections.abc import Collection
from typing import Any

from mcp.server.apps import Apps, client_supports_apps
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver.resources import FunctionResource

from llama_mcp.surface.resources.uris import PAGE
from llama_mcp.toolsets import PAGE_TOOLS

_MIME_TYPE = "text/html;profile=mcp-app"
# How tools say that they belong to the page; the second, that no model is to call them.
OPENS_PAGE: dict[str, Any] = {"ui": {"resourceUri": PAGE}}
FOR_PAGE: dict[str, Any] = {"ui": {"resourceUri": PAGE, "visibility": ["app"]}}


def page_extension() -> Apps:
    """Return the extension with the page, which is put together when a host reads it."""
    apps = Apps()
    apps.add_resource(
        FunctionResource(
            uri=PAGE,
            name="dashboard",
            title="Dashboard",
            description="The page that shows all, for clients that show apps.",
            mime_type=_MIME_TYPE,
            # Without domains in `csp` a host lets the page load nothing.
            meta={"ui": {"csp": {}, "prefersBorder": True}},
            fn=_page,
        )
    )
    return apps


async def hide_page_from_others(
    ctx: ServerRequestContext[Any, Any], call_next: CallNext
) -> HandlerResult:
    """Leave out of lists what only the page uses, for a client that shows none."""
    result = await call_next(ctx)
    if ctx.request_id is None:  # a notification has no result, whatever its name
        return result
    if ctx.method == "tools/list" and not client_supports_apps(ctx):
        return _without(result, "tools", PAGE_TOOLS, "name")
    if ctx.method == "resources/list" and not client_supports_apps(ctx):
        return _without(result, "resources", {PAGE}, "uri")
    return result


def _without(result: HandlerResult, member: str, hidden: Collection[str], by: str) -> HandlerResult:
    assert isinstance(result, dict)  # as the SDK writes it
    return {**result, member: [each for each in result[member] if each[by] not in hidden]}


def _page() -> str:
    from llama_mcp.dashboard.assemble import chat_page

    return chat_page()
