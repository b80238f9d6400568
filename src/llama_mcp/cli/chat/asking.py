"""A reply waited for in the main thread, printed as it comes, and stopped by Ctrl-C."""

import queue
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import partial

from anyio.from_thread import BlockingPortal

from llama_mcp.cli.chat.events import END, Event, Over
from llama_mcp.cli.chat.exchange import Exchange
from llama_mcp.cli.chat.reply_printing import ReplyPrinting
from llama_mcp.services import Services
from llama_mcp.turns.chat_request import ChatRequest

# Windows wakes no thread that waits for ever when Ctrl-C is pressed.
_LOOK_SECONDS = 0.2


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
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        exchange = Exchange(self._services, events.put)
        self.was_stopped = False
        task: Future[None] = self._portal.start_task_soon(act_of(exchange))
        try:
            while True:
                try:
                    event = events.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    continue
                except KeyboardInterrupt:
                    self._stop(exchange)
                    continue
                printing.show(event)
                if isinstance(event, END):
                    break
        finally:
            printing.end()
        if not isinstance(event, Over):
            task.result()  # a bug is raised here
        return event

    def _stop(self, exchange: Exchange) -> None:
        if self.was_stopped:
            raise KeyboardInterrupt  # somebody who presses it again wants to leave
        self.was_stopped = True
        self._portal.start_task_soon(exchange.stop)
