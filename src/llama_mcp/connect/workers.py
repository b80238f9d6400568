"""Threads that do one thing after another, as many as there is to do at once."""

import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[], None]

# A client has a handful of calls under way. A thread costs about 50 KiB.
MOST_AT_ONCE = 256
_IDLE_SECONDS = 10.0


class Workers:
    """Starts threads when they are needed; an idle one ends after a while."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Work] = []
        self._idle = 0
        self._count = 0

    def start(self, work: "Work") -> bool:
        """Have the work done by another thread; False when all are busy."""
        with self._changed:
            if self._idle > len(self._waiting):
                self._waiting.append(work)
                self._changed.notify()
                return True
            if self._count >= MOST_AT_ONCE:
                return False
            self._count += 1
        threading.Thread(target=self._run, args=(work,), daemon=True).start()
        return True

    def _run(self, work: "Work") -> None:
        while True:
            try:
                work()
            except Exception:
                sys.excepthook(*sys.exc_info())
            del work
            with self._changed:
                self._idle += 1
                has_more = self._changed.wait_for(lambda: bool(self._waiting), _IDLE_SECONDS)
                self._idle -= 1
                if not has_more:
                    self._count -= 1
                    return
                work = self._waiting.pop(0)
