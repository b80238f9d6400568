"""The bus of the 2026-07-28 era, where each listener hears only what its caller may hear.

The SDK's bus tells everybody everything that they have asked for, whosever it is.
"""

import logging
from collections.abc import Callable

import anyio.lowlevel
from mcp.shared.subscriptions import ResourceUpdated, ServerEvent

from llama_mcp.callers import Caller
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.scopes import scope_of_uri

logger = logging.getLogger(__name__)


class OwnersBus:
    """The SDK's SubscriptionBus, with an address on what is published."""

    def __init__(self) -> None:
        # By a key of its own: the SDK may register a listener more than once.
        self._listeners: dict[object, tuple[Caller, Callable[[ServerEvent], None]]] = {}

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Register a listener of whoever makes the request, and return what ends that."""
        key = object()
        self._listeners[key] = (current_caller(), listener)

        def unsubscribe() -> None:
            self._listeners.pop(key, None)

        return unsubscribe

    async def publish(self, event: ServerEvent, owner: str | None = None) -> None:
        """Deliver an event to the listeners of an owner; None for those of all."""
        for caller, listener in list(self._listeners.values()):
            if not may_hear(caller, owner, event):
                continue
            try:
                listener(event)
            except Exception:
                # One listener must not take the event from the others.
                logger.exception("A listener failed")
        # So that the streams are written to before the next event comes.
        await anyio.lowlevel.checkpoint()


def may_hear(caller: Caller, owner: str | None, event: ServerEvent) -> bool:
    """Tell whether a caller may hear of something of an owner's; None for what is nobody's."""
    is_its_own = owner in (None, caller.owner)
    return is_its_own and (
        not isinstance(event, ResourceUpdated) or caller.may(scope_of_uri(str(event.uri)))
    )
