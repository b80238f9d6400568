"""What goes to the client, a whole line at a time from any thread; and what goes to stderr."""

import os
import sys
import threading

# A client that does not read stderr must not hold up the bridge, and a bridge can live for weeks.
_MOST_NOTES = 200


class Output:
    """Writes lines to stdout. Who writes waits until the client has taken them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes_left = _MOST_NOTES
        self.is_broken = False
        """Whether the client has closed its end."""

    def send(self, line: bytes) -> None:
        """Write a line; nothing once the client has closed its end."""
        remaining = memoryview(line + b"\n")
        with self._lock:
            while remaining and not self.is_broken:
                try:
                    remaining = remaining[os.write(1, remaining) :]
                except BlockingIOError:  # whoever shares it has set O_NONBLOCK
                    _wait_for(1)
                except OSError:
                    self.is_broken = True

    def note(self, text: str) -> None:
        """Say something on stderr, which clients keep as the server's log."""
        if self._notes_left and _takes_some(2):
            self._notes_left -= 1
            try:
                os.write(2, f"llama-mcp connect: {text}\n".encode("utf-8", "replace"))
            except OSError:
                self._notes_left = 0


def _wait_for(descriptor: int) -> None:
    import select

    select.select([], [descriptor], [])


def _takes_some(descriptor: int) -> bool:
    """Tell whether a short text can be written at once, where the system can tell that."""
    if sys.platform == "win32":
        return True
    import select

    try:
        return bool(select.select([], [descriptor], [], 0)[1])
    except (OSError, ValueError):
        return False
