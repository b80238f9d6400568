"""A reply waited for in the main thread, printed as it comes, and stopped by Ctrl-C."""

import queue
import signal
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial

from anyio.from_thread import BlockingPortal

from llama_mcp.cli.chat.events import END, Event, Over
from llama_mcp.cli.chat.exchange import Exchange
from llama_mcp.cli.chat.reply_printing import ReplyPrinting
from llama_mcp.services import Services
from llama_mcp.turns.chat_request import ChatRequest

# Windows wakes no thread that waits for ever when Ctrl-C is pressed.
_LOOK_SECONDS = 0.2


class _CtrlC:
    """Ctrl-C was pressed."""


class Asking:
    """Asks on the event loop, and prints in this thread."""

    def __init__(self, portal: BlockingPortal, services: Services) -> None:
        self._portal = portal
        self._services = services
        self.was_stopped = False
        """Whether Ctrl-C has stopped the last reply."""

    def ask(self, request: ChatRequest, printing: ReplyPrinting) -> Event:
        """Have a message answered, print the reply, and return how it ended."""
        return self._run(lambda exchange: partial(exchange.ask, request), printing)

    def wait(self, session_id: str, printing: ReplyPrinting) -> Event:
        """Print the reply that is under way in a session, and return how it ended."""
        return self._run(lambda exchange: partial(exchange.wait, session_id), printing)

    def _run(
        self, act_of: Callable[[Exchange], Callable[[], Awaitable[None]]], printing: ReplyPrinting
    ) -> Event:
        events: queue.SimpleQueue[Event | _CtrlC] = queue.SimpleQueue()
        exchange = Exchange(self._services, events.put)
        self.was_stopped = False
        with _ctrl_c_told(lambda: events.put(_CtrlC())):
            task: Future[None] = self._portal.start_task_soon(act_of(exchange))
            try:
                event = self._print(events, exchange, printing)
                printing.end()
            except OSError:  # nobody reads it any more: it need not be written
                self._portal.call(exchange.stop)
                raise
            except BaseException:
                printing.end()
                raise
        if not isinstance(event, Over):
            task.result()  # a bug is raised here
        return event

    def _print(
        self,
        events: "queue.SimpleQueue[Event | _CtrlC]",
        exchange: Exchange,
        printing: ReplyPrinting,
    ) -> Event:
        """Print what comes until the last event; return that."""
        while True:
            try:
                event = events.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                continue
            if isinstance(event, _CtrlC):
                self._stop(exchange)
                continue
            printing.show(event)
            if isinstance(event, END):
                return event

    def _stop(self, exchange: Exchange) -> None:
        if self.was_stopped:
            raise KeyboardInterrupt  # somebody who presses it again wants to leave
        self.was_stopped = True
        self._portal.start_task_soon(exchange.stop)


@contextmanager
def _ctrl_c_told(tell: Callable[[], None]) -> Iterator[None]:
    """Have Ctrl-C told, instead of raised wherever this thread happens to be."""
    before = signal.signal(signal.SIGINT, lambda _number, _frame: tell())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
