"""The rooms on an event loop in a thread of their own, while the main thread reads and prints."""

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from anyio.from_thread import BlockingPortal, start_blocking_portal

from llama_mcp.cli.signals import ENDED_BY_SIGNAL
from llama_mcp.file_modes import keep_private
from llama_mcp.opening import open_services
from llama_mcp.services import Services
from llama_mcp.settings import Settings, inherited_environment

UseOfLoop = Callable[[BlockingPortal, Services], int]


class _AskedToEndError(BaseException):
    """A signal asks the process to end; no handler of failures may keep it."""


def use_rooms_beside(settings: Settings, use: UseOfLoop) -> int:
    """Open the rooms, use them from this thread, close them; return what the use returns.

    A signal that asks the process to end leaves a reply to whoever goes on with it.
    """
    logging.basicConfig(level=logging.ERROR)
    keep_private()
    rooms = open_services(settings, inherited_environment())
    exit_code, failure = ENDED_BY_SIGNAL, None
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(rooms) as services:
        try:
            with _raising_at_the_end():
                exit_code = use(portal, services)
        except _AskedToEndError:
            portal.call(services.announce_shutdown)
        except BaseException as error:  # raised once all is closed: the rooms are not to blame
            failure = error
        # Closing takes a moment, and leaves nothing behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if failure is not None:
        raise failure
    return exit_code


@contextmanager
def _raising_at_the_end() -> Iterator[None]:
    """Raise _AskedToEndError here when the process is asked to end; once."""

    def end(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise _AskedToEndError

    names = ("SIGTERM",) if sys.platform == "win32" else ("SIGTERM", "SIGHUP")
    for name in names:
        signal.signal(signal.Signals[name], end)
    try:
        yield
    finally:
        for name in names:
            signal.signal(signal.Signals[name], signal.SIG_IGN)
