"""Requests over HTTP, as they come to the server: each for its caller, and each noted.

A middleware, and the outermost: without an exchange nothing is answered, so that no request can
pass for one of the person whose machine this is.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_REQUEST
from pydantic import ValidationError

from llama_mcp.surface.calling import Exchange, answering
from llama_mcp.surface.http.audit import Audit, AuditEntry
from llama_mcp.surface.http.gate import BACK_SECONDS, EXCHANGE

_NAMED_BY = {"tools/call": "name", "prompts/get": "name"}
_URI_METHODS = ("resources/read", "resources/subscribe", "resources/unsubscribe")
# The SDK asks for it by itself, to check the headers of a call.
_LIST = "tools/list"


class Calls:
    """Answers each request as its caller's, and notes it."""

    def __init__(self, audit: Audit, is_draining: Callable[[], bool]) -> None:
        """Take where calls are noted, and whether nothing new is begun any more."""
        self._audit = audit
        self._is_draining = is_draining

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Have a request answered within its exchange."""
        exchange = exchange_of(ctx)
        if exchange is None:
            raise MCPError(INTERNAL_ERROR, "a request came in past the check of its token")
        with answering(exchange):
            if ctx.request_id is None:
                return await call_next(ctx)
            if self._is_draining():
                told = f"llama-mcp ends; call again in {BACK_SECONDS} seconds."
                raise MCPError(INTERNAL_ERROR, told)
            return await self._noted(ctx, call_next, exchange)

    async def _noted(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext, exchange: Exchange
    ) -> HandlerResult:
        begun, outcome, result = time.monotonic(), "cancelled", None
        try:
            result = await _until_ended(ctx, call_next, exchange)
            outcome = "error" if _is_error(result) else "ok"
        except MCPError as error:
            outcome = f"refused {error.error.code}"
            raise
        except ValidationError:
            outcome = "refused -32602"
            raise
        except Exception:
            outcome = "failed"
            raise
        finally:
            if _is_asked_by_client(ctx):
                milliseconds = round((time.monotonic() - begun) * 1000)
                self._audit.note(_entry(ctx, exchange, result, outcome, milliseconds))
        return result


async def _until_ended(
    ctx: ServerRequestContext[Any, Any], call_next: CallNext, exchange: Exchange
) -> HandlerResult:
    """Have the rest answer, until we end the exchange."""
    channel = ctx.session._request_outbound
    cancel_requested: anyio.Event = channel.cancel_requested
    exchange.is_cancelled = cancel_requested.is_set
    with anyio.CancelScope() as scope:
        exchange.end = scope.cancel
        if exchange.is_ended:  # while it was on its way
            scope.cancel()
        return await call_next(ctx)
    raise MCPError(INVALID_REQUEST, "llama-mcp has ended this request")


def exchange_of(ctx: ServerRequestContext[Any, Any]) -> Exchange | None:
    """Return the exchange in which a message came."""
    scope = getattr(ctx.request, "scope", None)
    found = scope.get(EXCHANGE) if isinstance(scope, dict) else None
    return found if isinstance(found, Exchange) else None


def _is_asked_by_client(ctx: ServerRequestContext[Any, Any]) -> bool:
    asked = ctx.request.headers.get("mcp-method") if ctx.request is not None else None
    return ctx.method != _LIST or asked in (None, _LIST)


def _is_error(result: HandlerResult) -> bool:
    if isinstance(result, dict):
        return bool(result.get("isError"))
    return bool(getattr(result, "is_error", False))


def _entry(
    ctx: ServerRequestContext[Any, Any],
    exchange: Exchange,
    result: HandlerResult,
    outcome: str,
    milliseconds: int,
) -> AuditEntry:
    params = ctx.params or {}
    what = params.get(_NAMED_BY.get(ctx.method, ""), "")
    if ctx.method in _URI_METHODS:
        what = params.get("uri", "")
    return AuditEntry(
        who=exchange.caller.owner,
        method=ctx.method,
        what=what if isinstance(what, str) else "",
        session=_session(params, result),
        outcome=outcome,
        duration_ms=milliseconds,
    )


def _session(params: Mapping[str, Any], result: HandlerResult) -> str:
    """Return the session that a call was about: the one that its result names, else the asked."""
    if isinstance(result, dict):
        structure = result.get("structuredContent")
    else:
        structure = getattr(result, "structured_content", None)
    for told in (structure, params.get("arguments")):
        if isinstance(told, Mapping) and isinstance(found := told.get("session_id"), str) and found:
            return found
    return ""
