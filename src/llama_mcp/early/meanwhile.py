"""Early answers while the real server is imported, which takes a second, or many on a busy machine.

A thread goes on with the lists that nothing changes; some clients ask for them before each turn of
their model and give up after five seconds. All else is kept, in its order, for the real server.
"""

import os
import select

from llama_mcp.early.conversation import Conversation
from llama_mcp.early.handover import Handover
from llama_mcp.early.wire import CHUNK_BYTES, MAX_LINE_BYTES, answered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Thread


class Meanwhile:
    """What was answered so far, and what can be answered until `end`."""

    def __init__(self, handover: Handover, conversation: Conversation | None = None) -> None:
        """Take where the real server would go on; without a conversation nothing more is answered.

        Args:
            handover: its `unsent` has to be written first, so with some nothing is answered either.
            conversation: what was said so far.
        """
        self._handover = handover
        self._conversation = conversation if not handover.unsent else None
        self._thread: Thread | None = None

    def begin(self) -> None:
        """Begin to answer, in a thread."""
        if self._conversation is None:
            return
        from threading import Thread

        self._end_is_asked, self._to_ask = os.pipe()
        self._thread = Thread(target=self._answer, args=(self._conversation,), daemon=True)
        self._thread.start()

    def end(self) -> Handover:
        """End it and return where the real server goes on."""
        if self._thread is not None:
            os.close(self._to_ask)
            self._thread.join()
            os.close(self._end_is_asked)
            self._thread = None
        return self._handover

    def _answer(self, conversation: Conversation) -> None:
        handover = self._handover
        while len(handover.unread) <= MAX_LINE_BYTES and not handover.unsent and self._has_news():
            try:
                data = os.read(0, CHUNK_BYTES)
            except BlockingIOError:  # stdin and stdout are one socket
                continue
            except OSError:
                return
            if not data:
                return  # the real server sees the end, too
            kept, _, rest = handover.unread.rpartition(b"\n")
            *lines, rest = (rest + data).split(b"\n")
            left, handover.unsent = answered(conversation, lines, is_behind=True)
            handover.unread = b"\n".join([*([kept] if kept else []), *left, rest])

    def _has_news(self) -> bool:
        """Wait until there is something to read; tell whether there is, and the end not asked."""
        return self._end_is_asked not in select.select([0, self._end_is_asked], [], [])[0]
